//! Which card is meant.

use std::fmt;
use std::str::FromStr;

use crate::pci::Bdf;

/// A way to name a card. Every selector names a whole card, whichever of its
/// functions or ports it mentions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// All supported cards of the host.
    All,
    /// The card with this PCI function.
    Address(Bdf),
    /// The card with this RDMA device, as in `mlx5_0`.
    Rdma(String),
    /// The card with this network interface, as in `net:eth4`.
    Net(String),
    /// A virtual card by name or profile, as in `sim:connectx-4`.
    Sim(String),
}

/// A text that selects nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` does not select a card")]
pub struct ParseSelectorError {
    /// The text.
    pub text: String,
}

impl FromStr for Selector {
    type Err = ParseSelectorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = |name: &str| (!name.is_empty()).then(|| name.to_owned());
        let selector = if text == "all" {
            Some(Self::All)
        } else if let Some(name) = text.strip_prefix("net:") {
            named(name).map(Self::Net)
        } else if let Some(name) = text.strip_prefix("sim:") {
            named(name).map(Self::Sim)
        } else if text.starts_with("mlx4_") || text.starts_with("mlx5_") {
            Some(Self::Rdma(text.to_owned()))
        } else {
            text.parse().ok().map(Self::Address)
        };
        selector.ok_or_else(|| ParseSelectorError {
            text: text.to_owned(),
        })
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Address(address) => address.fmt(f),
            Self::Rdma(name) => f.write_str(name),
            Self::Net(name) => write!(f, "net:{name}"),
            Self::Sim(name) => write!(f, "sim:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_prints() {
        for text in [
            "all",
            "0000:04:00.0",
            "mlx5_0",
            "net:eth4",
            "sim:connectx-4",
        ] {
            assert_eq!(text.parse::<Selector>().unwrap().to_string(), text);
        }
        assert_eq!(
            "04:00.0".parse::<Selector>().unwrap().to_string(),
            "0000:04:00.0"
        );
    }

    #[test]
    fn refuses_what_selects_nothing() {
        for text in ["", "eth4", "net:", "sim:", "04:00"] {
            assert!(text.parse::<Selector>().is_err(), "{text}");
        }
    }
}
