//! From what was found in an image to what is said of it.

use super::answer::{Answer, Fact, Program};
use super::ip_version_default::IpVersionDefault;
use super::traces::Traces;

/// What is known of an image before anything is concluded.
#[derive(Clone, Debug)]
pub(super) struct Findings {
    /// What its code says of itself.
    pub(super) traces: Traces,
    /// Where that code was, in words.
    pub(super) read: Vec<String>,
    /// Why not all of its code could be read; empty when all was.
    pub(super) unread: Vec<String>,
    /// What was unread is damaged: even what is there will not run.
    pub(super) is_damaged: bool,
    /// The version in its version record.
    pub(super) recorded_version: Option<String>,
}

/// What is said of it.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    pub(super) program: Program,
    pub(super) version: Option<String>,
    pub(super) ipv6: Fact,
    pub(super) obeys_ip_ver: Fact,
    pub(super) ipv6_when_unset: Fact,
}

impl Verdict {
    /// The image is in the file, but no system gets to it.
    pub(super) fn is_out_of_reach(&mut self) {
        for fact in [
            &mut self.ipv6,
            &mut self.obeys_ip_ver,
            &mut self.ipv6_when_unset,
        ] {
            fact.answer = Answer::CannotTell;
            fact.evidence.insert(
                0,
                "the image before it calls itself the last one, so that no system gets to this one"
                    .to_owned(),
            );
        }
    }
}

impl Findings {
    /// Of an image that holds no code for PCs.
    pub(super) fn not_looked_at() -> Self {
        Self {
            traces: Traces::default(),
            read: Vec::new(),
            unread: vec!["its kind of code is not looked at".to_owned()],
            is_damaged: false,
            recorded_version: None,
        }
    }

    /// Concludes.
    pub(super) fn verdict(self) -> Verdict {
        let program = self.program();
        let version = match program {
            Program::FlexBoot => self.traces.flexboot_version.clone(),
            Program::Ipxe => self.traces.ipxe_version.clone(),
            Program::Other | Program::CannotTell => None,
        };
        let ipv6 = self.ipv6();
        let obeys_ip_ver = self.obeys_ip_ver(&ipv6);
        let ipv6_when_unset = self.ipv6_when_unset(&ipv6, &obeys_ip_ver);
        Verdict {
            program,
            version: version.or(self.recorded_version),
            ipv6,
            obeys_ip_ver,
            ipv6_when_unset,
        }
    }

    fn program(&self) -> Program {
        if self.traces.flexboot {
            Program::FlexBoot
        } else if self.traces.ipxe {
            Program::Ipxe
        } else if self.unread.is_empty() {
            Program::Other
        } else {
            Program::CannotTell
        }
    }

    /// A fact that cannot be told because not all could be read.
    fn unread(&self) -> Option<Fact> {
        let (first, rest) = self.unread.split_first()?;
        Some(rest.iter().fold(Fact::cannot_tell(first), Fact::and))
    }

    fn ipv6(&self) -> Fact {
        let traces = &self.traces;
        if let Some(unread) = self.unread() {
            // Code that is there is there, unless it cannot run.
            if !(traces.dhcpv6 && traces.icmpv6) {
                return unread;
            }
            if self.is_damaged {
                return unread.and(format!(
                    "a DHCPv6 client and ICMPv6 are in {}, but the image will not run as it is",
                    self.places()
                ));
            }
        }
        match (traces.dhcpv6, traces.icmpv6) {
            (true, true) => Fact::yes(format!(
                "the names of a DHCPv6 client and of ICMPv6 are in {}",
                self.places()
            )),
            (false, false) if traces.has_stack() => Fact::no(format!(
                "all code was read, {}: it has a network stack of iPXE, and neither a DHCPv6 \
                 client nor ICMPv6",
                self.places()
            )),
            (false, false) if traces.ipxe || traces.flexboot => Fact::cannot_tell(format!(
                "no network stack was found in {}: it may be a driver only, and then the \
                 system's firmware decides",
                self.places()
            )),
            (false, false) => Fact::cannot_tell(
                "the image is neither iPXE nor FlexBoot, and nothing is known of others",
            ),
            (true, false) => Fact::cannot_tell(
                "the name of a DHCPv6 client is there, but not that of ICMPv6, which it needs",
            ),
            (false, true) => {
                Fact::cannot_tell("the name of ICMPv6 is there, but not that of a DHCPv6 client")
            }
        }
    }

    fn obeys_ip_ver(&self, ipv6: &Fact) -> Fact {
        let traces = &self.traces;
        if ipv6.answer == Answer::CannotTell {
            return Fact::cannot_tell("whether IPv6 is inside cannot be told either");
        }
        match traces.ip_version_names() {
            3 => {
                let fact = Fact::yes(
                    "it knows the setting ip_support, and dhcpv4_disabled and dhcpv6_disabled, \
                     through which it acts on it",
                );
                if traces.connectx3 || traces.connectx4 {
                    fact
                } else {
                    fact.and("no driver for a card that has the setting was found")
                }
            }
            0 if self.unread.is_empty() && traces.has_stack() => Fact::no(
                "the names ip_support, dhcpv4_disabled and dhcpv6_disabled, which FlexBoot has, \
                 are not there: it does what its build says, whatever the card's setting is",
            ),
            0 => self
                .unread()
                .unwrap_or_else(|| Fact::cannot_tell("its network stack was not recognised")),
            _ => Fact::cannot_tell(
                "of the names ip_support, dhcpv4_disabled and dhcpv6_disabled only some are there",
            ),
        }
    }

    fn ipv6_when_unset(&self, ipv6: &Fact, obeys: &Fact) -> Fact {
        match (ipv6.answer, obeys.answer) {
            (Answer::No, _) => return Fact::no("there is no code for IPv6 in it"),
            (Answer::Yes, Answer::No) => {
                return Fact::yes("it takes no notice of the setting and always tries IPv6 too");
            }
            (Answer::Yes, Answer::Yes) => {}
            _ => return Fact::cannot_tell("it cannot be told whether it obeys the setting"),
        }
        match (self.traces.connectx3, self.traces.connectx4) {
            (true, false) => Fact::cannot_tell(
                "this is FlexBoot for ConnectX-3: the default comes from the card's firmware \
                 (boot_ip_ver in the answer to QUERY_DEFPARAMS)",
            ),
            (false, true) => self.flexboot_for_connectx4(),
            (true, true) => Fact::cannot_tell(
                "it has the drivers for ConnectX-3 and for ConnectX-4, which take their defaults \
                 from different places",
            ),
            (false, false) => {
                Fact::cannot_tell("it has no driver that is known to have a default for it")
            }
        }
    }

    fn flexboot_for_connectx4(&self) -> Fact {
        const CARD: &str = "a default that the card's firmware itself reports goes before it";
        match self.traces.ip_version_default {
            IpVersionDefault::Constant(0) => Fact::no(
                "its code falls back to the constant 0 (DEFAULT_BOOT_IP_VER), which is IPv4 only",
            )
            .and(CARD),
            IpVersionDefault::Constant(constant) => Fact::yes(format!(
                "its code falls back to the constant {constant} (DEFAULT_BOOT_IP_VER), which is {}",
                if constant == 1 {
                    "IPv6"
                } else {
                    "IPv4 and IPv6"
                }
            ))
            .and(CARD),
            IpVersionDefault::NotThere => Fact::cannot_tell(
                "this is FlexBoot for ConnectX-4, but its table of defaults was not found",
            ),
            IpVersionDefault::Unreadable => Fact::cannot_tell(
                "this is FlexBoot for ConnectX-4, but the code that sets its default \
                 (DEFAULT_BOOT_IP_VER) could not be followed",
            ),
        }
    }

    fn places(&self) -> String {
        if self.read.is_empty() {
            "what is not compressed".to_owned()
        } else {
            self.read.join(" and ")
        }
    }
}
