//! What the attribute files of a function say, as the kernel prints them.

use std::fmt::Write as _;

use crate::pci::{FunctionInfo, FunctionKind};

/// The plain text attributes of a function, by file name.
pub(crate) fn texts(info: &FunctionInfo) -> Vec<(&'static str, String)> {
    let mut texts = vec![
        ("vendor", format!("{:#06x}\n", info.vendor)),
        ("device", format!("{:#06x}\n", info.device)),
        // Linux says -1 where firmware names no node.
        (
            "numa_node",
            format!("{}\n", info.numa_node.map_or(-1, i64::from)),
        ),
        // None is routed; without the file lspci gives up.
        ("irq", "0\n".to_owned()),
        ("resource", resource(info)),
    ];
    let hexadecimal = [
        ("subsystem_vendor", info.subsystem_vendor.map(u32::from), 4),
        ("subsystem_device", info.subsystem_device.map(u32::from), 4),
        ("class", info.class, 6),
        ("revision", info.revision.map(u32::from), 2),
    ];
    for (name, value, digits) in hexadecimal {
        if let Some(value) = value {
            texts.push((name, format!("0x{value:0digits$x}\n")));
        }
    }
    texts
}

/// The resource table, without addresses.
///
/// An address would be an invitation: mstflint 4.21 maps /dev/mem at the
/// address of a BAR0 of 1 MiB when it cannot map the file.
fn resource(info: &FunctionInfo) -> String {
    let lines = match info.kind {
        FunctionKind::Physical => 13,
        FunctionKind::Virtual => 7,
    };
    let mut text = String::new();
    for _ in 0..lines {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{0:#018x} {0:#018x} {0:#018x}", 0);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Shelf;

    #[test]
    fn attributes_read_like_the_kernels() {
        let card = Shelf::memory().card("connectx-4").unwrap();
        let texts = texts(&card.infos()[0]);
        let text = |name: &str| {
            let found = texts.iter().find(|(known, _)| *known == name);
            found.unwrap().1.clone()
        };
        assert_eq!(text("vendor"), "0x15b3\n");
        assert_eq!(text("device"), "0x1013\n");
        assert_eq!(text("class"), "0x020000\n");
        assert_eq!(text("revision"), "0x00\n");
        assert_eq!(text("numa_node"), "0\n");
        let line = "0x0000000000000000 0x0000000000000000 0x0000000000000000\n";
        assert_eq!(text("resource"), line.repeat(13));
    }
}
