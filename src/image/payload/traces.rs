//! What the code of iPXE and FlexBoot says of itself: names of settings,
//! protocols and products, each at the end of a C string.
//!
//! | string | stands for |
//! |---|---|
//! | `dhcpv6`, `ICMPv6` | IPv6: the settings block of its DHCP client, its control protocol |
//! | `netmask`, `dhcp` | a network stack at all |
//! | `ip_support`, `dhcpv4_disabled`, `dhcpv6_disabled` | the card's setting IP_VER is obeyed |
//! | `FlexBoot`, `FlexBoot v`... | FlexBoot |
//! | `iPXE`, `iPXE %s`, `iPXE/%s` | iPXE, and FlexBoot too |
//! | `ConnectX-3`, `ConnectX-3Pro` | the driver for these cards, `hermon` |
//! | `ConnectX-4`, `ConnectX-4Lx` and later, `ConnectIB` | the driver for these, `golan` |
//!
//! `dhcpv6` and `ICMPv6` were in all builds with IPv6 that were looked at, and
//! in none without. `ipv6` is in some without, `gateway6` is not in FlexBoot.
//!
//! # Sources
//! iPXE, src/net/udp/dhcpv6.c, src/net/icmpv6.c, src/core/settings.c,
//! src/core/version.c, src/usr/autoboot.c; FlexBoot 3.4.812,
//! src/core/driver_settings.c, src/net/ndp.c, src/net/udp/dhcp.c,
//! src/config/branding.h, src/drivers/infiniband/hermon.c and golan.c.

use super::ip_version_default::IpVersionDefault;

/// The longest version that is taken for one.
const LONGEST_VERSION: usize = 64;

/// What was found in the code of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Traces {
    pub(super) dhcpv6: bool,
    pub(super) icmpv6: bool,
    pub(super) netmask: bool,
    pub(super) dhcp: bool,
    pub(super) ip_support: bool,
    pub(super) dhcpv4_disabled: bool,
    pub(super) dhcpv6_disabled: bool,
    pub(super) flexboot: bool,
    pub(super) ipxe: bool,
    pub(super) connectx3: bool,
    pub(super) connectx4: bool,
    pub(super) flexboot_version: Option<String>,
    pub(super) ipxe_version: Option<String>,
    pub(super) ip_version_default: IpVersionDefault,
}

impl Traces {
    /// Adds what is in a piece of code.
    pub(super) fn look_at(&mut self, code: &[u8]) {
        let mut start = 0;
        for (at, &byte) in code.iter().enumerate() {
            let is_text = byte == b' ' || byte.is_ascii_graphic();
            if byte == 0 && start < at {
                self.string(code.get(start..at).unwrap_or_default());
            }
            if !is_text {
                start = at + 1;
            }
        }
        self.ip_version_default = self.ip_version_default.or(IpVersionDefault::find(code));
    }

    /// Both together; what is in `self` goes first.
    pub(super) fn with(self, other: Self) -> Self {
        Self {
            dhcpv6: self.dhcpv6 || other.dhcpv6,
            icmpv6: self.icmpv6 || other.icmpv6,
            netmask: self.netmask || other.netmask,
            dhcp: self.dhcp || other.dhcp,
            ip_support: self.ip_support || other.ip_support,
            dhcpv4_disabled: self.dhcpv4_disabled || other.dhcpv4_disabled,
            dhcpv6_disabled: self.dhcpv6_disabled || other.dhcpv6_disabled,
            flexboot: self.flexboot || other.flexboot,
            ipxe: self.ipxe || other.ipxe,
            connectx3: self.connectx3 || other.connectx3,
            connectx4: self.connectx4 || other.connectx4,
            flexboot_version: self.flexboot_version.or(other.flexboot_version),
            ipxe_version: self.ipxe_version.or(other.ipxe_version),
            ip_version_default: self.ip_version_default.or(other.ip_version_default),
        }
    }

    /// Takes the text before a NUL. What stands before the string may look like
    /// text too, and a longer string may end with a shorter one.
    fn string(&mut self, text: &[u8]) {
        let ends_with = |end: &[u8]| text.ends_with(end);
        self.dhcpv6 |= ends_with(b"dhcpv6");
        self.icmpv6 |= ends_with(b"ICMPv6");
        self.netmask |= ends_with(b"netmask");
        self.dhcp |= ends_with(b"dhcp");
        self.ip_support |= ends_with(b"ip_support");
        self.dhcpv4_disabled |= ends_with(b"dhcpv4_disabled");
        self.dhcpv6_disabled |= ends_with(b"dhcpv6_disabled");
        self.flexboot |= ends_with(b"FlexBoot");
        self.ipxe |= ends_with(b"iPXE") || ends_with(b"iPXE %s") || ends_with(b"iPXE/%s");
        let card = connectx(text);
        self.connectx3 |= card == Some(3);
        self.connectx4 |= card.is_some_and(|card| card > 3) || ends_with(b"ConnectIB");
        if let Some(version) = flexboot_version(text) {
            self.flexboot = true;
            self.flexboot_version.get_or_insert(version);
        }
        if self.ipxe_version.is_none() {
            self.ipxe_version = ipxe_version(text);
        }
    }

    /// A network stack of iPXE or FlexBoot.
    pub(super) fn has_stack(&self) -> bool {
        (self.ipxe || self.flexboot) && self.netmask && self.dhcp
    }

    /// How many of the names that come with IP_VER are there, of three.
    pub(super) fn ip_version_names(&self) -> usize {
        [self.ip_support, self.dhcpv4_disabled, self.dhcpv6_disabled]
            .into_iter()
            .filter(|&is_there| is_there)
            .count()
    }
}

/// `ConnectX-3`, `ConnectX-3Pro`, `ConnectX-4Lx`: which number.
fn connectx(text: &[u8]) -> Option<u8> {
    const BEFORE: &[u8] = b"ConnectX-";
    let at = text
        .windows(BEFORE.len())
        .rposition(|found| found == BEFORE)?;
    let (number, model) = text.get(at + BEFORE.len()..)?.split_first()?;
    let number = number.is_ascii_digit().then(|| number - b'0')?;
    matches!(model, b"" | b"Pro" | b"Lx" | b"Ex" | b"Dx").then_some(number)
}

/// `FlexBoot v3.4.719`.
fn flexboot_version(text: &[u8]) -> Option<String> {
    const BEFORE: &[u8] = b"FlexBoot v";
    let at = text
        .windows(BEFORE.len())
        .rposition(|found| found == BEFORE)?;
    let version = text.get(at + BEFORE.len()..)?;
    (version.len() <= LONGEST_VERSION && starts_as_version(version).is_some())
        .then(|| String::from_utf8_lossy(version).into_owned())
}

/// `1.21.1`, `2.0.0+ (g0ab2c)`, `1.0.0+git-20190125.36a4c85-5.1`.
fn ipxe_version(text: &[u8]) -> Option<String> {
    if text.len() > LONGEST_VERSION {
        return None;
    }
    let rest = starts_as_version(text)?;
    matches!(rest.first(), None | Some(b'+' | b' ' | b'-'))
        .then(|| String::from_utf8_lossy(text).into_owned())
}

/// Takes three numbers with dots between them away.
fn starts_as_version(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text;
    for part in 0..3 {
        if part > 0 {
            rest = rest.strip_prefix(b".")?;
        }
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=5).contains(&digits) {
            return None;
        }
        rest = rest.get(digits..)?;
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traces(code: &[u8]) -> Traces {
        let mut traces = Traces::default();
        traces.look_at(code);
        traces
    }

    #[test]
    fn names_count_at_the_end_of_a_string_only() {
        assert!(traces(b"\xffdhcpv6\0").dhcpv6);
        assert!(traces(b"xxdhcpv6\0").dhcpv6, "strings share their ends");
        assert!(!traces(b"dhcpv6_disabled\0").dhcpv6);
        assert!(!traces(b"dhcpv6").dhcpv6);
        assert!(!traces(b"DHCPv6 ICMPv6x\0").icmpv6);
    }

    #[test]
    fn versions_are_recognised() {
        let flexboot = traces(b"\x01FlexBoot v3.4.719\0FlexBoot\x001.0.0+ (a188c)\0");
        assert_eq!(flexboot.flexboot_version.as_deref(), Some("3.4.719"));
        assert_eq!(flexboot.ipxe_version.as_deref(), Some("1.0.0+ (a188c)"));
        let debian = traces(b"\n1.0.0+git-20190125.36a4c85-5.1\0");
        assert_eq!(
            debian.ipxe_version.as_deref(),
            Some("1.0.0+git-20190125.36a4c85-5.1")
        );
        for text in [&b"1.2\0"[..], b"1.2.3.4\0", b"1.2.x\0", b"123456.1.1\0"] {
            assert_eq!(traces(text).ipxe_version, None);
        }
    }

    #[test]
    fn cards_are_told_apart_by_the_names_of_their_drivers() {
        for (text, expected) in [
            (&b"ConnectX-3\0"[..], (true, false)),
            (b"ConnectX-3Pro\0", (true, false)),
            (b"ConnectX-4Lx\0", (false, true)),
            (b"ConnectIB\0", (false, true)),
            (b"ConnectX-4.mrom\0", (false, false)),
            (b"ConnectX-\0", (false, false)),
        ] {
            let traces = traces(text);
            assert_eq!((traces.connectx3, traces.connectx4), expected);
        }
    }

    #[test]
    fn a_stack_needs_a_name_and_a_network() {
        assert!(traces(b"iPXE\0netmask\0dhcp\0").has_stack());
        assert!(!traces(b"iPXE\0").has_stack());
        assert!(!traces(b"netmask\0dhcp\0").has_stack());
    }
}
