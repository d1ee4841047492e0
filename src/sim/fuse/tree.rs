//! The tree under `/sys/bus/pci/devices`: which files there are.

use std::collections::HashSet;

use super::attributes;
use super::error::RunError;
use crate::pci::{FunctionInfo, FunctionKind, NetInterface};
use crate::sim::card::Card;

/// What a file is.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// Names and inode numbers.
    Directory(Vec<(String, u64)>),
    /// A text or bytes that never change.
    Bytes(Vec<u8>),
    Link(String),
    /// Config space of a function, by its number in [`Tree::functions`].
    Config(usize),
    /// A BAR that answers all-ones.
    AllOnes(u64),
    /// The expansion ROM of a function.
    Rom(usize),
}

/// A file; its inode number is its place in [`Tree::nodes`] plus one.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) parent: u64,
    pub(crate) content: Content,
}

/// All files, and the functions that are behind some of them.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    pub(crate) functions: Vec<(Card, FunctionInfo)>,
}

/// The inode number of the tree's root, as FUSE has it.
const ROOT: u64 = 1;

impl Tree {
    /// The tree of these cards.
    ///
    /// # Errors
    /// [`RunError::SameAddress`] when two cards are at the same place.
    pub(crate) fn of(cards: &[Card]) -> Result<Self, RunError> {
        let mut tree = Self {
            nodes: vec![Node {
                parent: ROOT,
                content: Content::Directory(Vec::new()),
            }],
            functions: Vec::new(),
        };
        let mut places = HashSet::new();
        for card in cards {
            for info in card.infos() {
                if !places.insert(info.address) {
                    return Err(RunError::SameAddress {
                        address: info.address,
                    });
                }
                tree.add_function(card, info);
            }
        }
        Ok(tree)
    }

    pub(crate) fn node(&self, inode: u64) -> Option<&Node> {
        let index = usize::try_from(inode.checked_sub(1)?).ok()?;
        self.nodes.get(index)
    }

    /// The inode number of a name in a directory.
    pub(crate) fn lookup(&self, directory: u64, name: &str) -> Option<u64> {
        let Content::Directory(entries) = &self.node(directory)?.content else {
            return None;
        };
        let (_, inode) = entries.iter().find(|(known, _)| known == name)?;
        Some(*inode)
    }

    fn add(&mut self, parent: u64, name: &str, content: Content) -> u64 {
        self.nodes.push(Node { parent, content });
        let inode = self.nodes.len() as u64;
        let index = usize::try_from(parent - 1).unwrap_or(0);
        if let Some(Node {
            content: Content::Directory(entries),
            ..
        }) = self.nodes.get_mut(index)
        {
            entries.push((name.to_owned(), inode));
        }
        inode
    }

    fn directory(&mut self, parent: u64, name: &str) -> u64 {
        self.add(parent, name, Content::Directory(Vec::new()))
    }

    fn text(&mut self, parent: u64, name: &str, text: String) {
        self.add(parent, name, Content::Bytes(text.into_bytes()));
    }

    fn add_function(&mut self, card: &Card, info: FunctionInfo) {
        let number = self.functions.len();
        let home = self.directory(ROOT, &info.address.to_string());
        for (name, text) in attributes::texts(&info) {
            self.text(home, name, text);
        }
        self.add(home, "config", Content::Config(number));
        if info.kind == FunctionKind::Physical {
            self.add_physical(card, number, home);
        }
        self.add_links(&info, home);
        self.add_network(&info.net, home);
        if !info.rdma.is_empty() {
            let parent = self.directory(home, "infiniband");
            for name in &info.rdma {
                self.directory(parent, name);
            }
        }
        self.functions.push((card.clone(), info));
    }

    fn add_physical(&mut self, card: &Card, number: usize, home: u64) {
        let board = card.board();
        if let Ok(length) = board.map_bar(0, 0) {
            self.add(home, "resource0", Content::AllOnes(length));
        }
        if board.rom.is_some() {
            self.add(home, "rom", Content::Rom(number));
        }
        if board.firmware.runs() {
            self.add(home, "vpd", Content::Bytes(board.vpd.clone()));
        }
    }

    fn add_links(&mut self, info: &FunctionInfo, home: u64) {
        if let Some(driver) = &info.driver {
            let target = format!("../../../bus/pci/drivers/{driver}");
            self.add(home, "driver", Content::Link(target));
        }
        if let Some(physical) = info.physical_function {
            self.add(home, "physfn", Content::Link(format!("../{physical}")));
        }
        for (index, address) in info.virtual_functions.iter().enumerate() {
            let target = Content::Link(format!("../{address}"));
            self.add(home, &format!("virtfn{index}"), target);
        }
        if info.kind == FunctionKind::Physical && !info.virtual_functions.is_empty() {
            let count = info.virtual_functions.len();
            self.text(home, "sriov_numvfs", format!("{count}\n"));
        }
    }

    fn add_network(&mut self, interfaces: &[NetInterface], home: u64) {
        if interfaces.is_empty() {
            return;
        }
        let parent = self.directory(home, "net");
        for interface in interfaces {
            let directory = self.directory(parent, &interface.name);
            if let Some(mac) = &interface.mac {
                self.text(directory, "address", format!("{mac}\n"));
            }
            if let Some(port) = interface.port {
                let text = format!("{}\n", port.saturating_sub(1));
                self.text(directory, "dev_port", text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Shelf;

    fn content(tree: &Tree, path: &str) -> Content {
        let mut inode = ROOT;
        for name in path.split('/') {
            inode = tree.lookup(inode, name).unwrap();
        }
        tree.node(inode).unwrap().content.clone()
    }

    #[test]
    fn a_card_has_the_files_of_a_real_one() {
        let card = Shelf::memory().card("connectx-4-sriov").unwrap();
        let tree = Tree::of(&[card]).unwrap();
        let names = |path: &str| match content(&tree, path) {
            Content::Directory(entries) => {
                let mut names: Vec<String> = entries.into_iter().map(|(name, _)| name).collect();
                names.sort();
                names.join(" ")
            }
            other => format!("{other:?}"),
        };
        insta::assert_snapshot!(names("0000:10:00.0"), @"class config device driver infiniband irq net numa_node resource resource0 revision rom sriov_numvfs subsystem_device subsystem_vendor vendor virtfn0 virtfn1 vpd");
        insta::assert_snapshot!(names("0000:10:00.2"), @"class config device driver irq numa_node physfn resource revision subsystem_device subsystem_vendor vendor");
        insta::assert_snapshot!(names("0000:10:00.1/net/enp16s0f1"), @"address dev_port");
        insta::assert_snapshot!(names("0000:10:00.1/virtfn1"), @r#"Link("../0000:10:00.5")"#);
    }

    #[test]
    fn two_cards_cannot_be_at_one_place() {
        let cards = ["connectx-4", "connectx-4"].map(|name| Shelf::memory().card(name).unwrap());
        let said = Tree::of(&cards).unwrap_err().to_string();
        assert_eq!(said, "two virtual cards are at 0000:04:00.0");
    }
}
