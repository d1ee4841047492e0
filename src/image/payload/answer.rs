//! What a proof says: yes, no or cannot tell, always with the evidence.

/// An answer that never guesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// Shown by the bytes.
    Yes,
    /// Shown by the bytes: nothing that could hold it was left unread.
    No,
    /// The bytes do not show it either way.
    CannotTell,
}

/// An answer and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fact {
    /// The answer.
    pub answer: Answer,
    /// Sentences: lower case, no full stop.
    pub evidence: Vec<String>,
}

/// Which program an image holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Program {
    /// Mellanox FlexBoot, a branch of iPXE that knows the card's settings.
    FlexBoot,
    /// iPXE as its authors publish it.
    Ipxe,
    /// Something else.
    Other,
    /// Nothing in it could be read that would say.
    CannotTell,
}

/// What is known of one bootable image.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageProof {
    /// Which image of the file it is, counted from 0; payload images count, but
    /// have no proof of their own.
    pub image: usize,
    /// Where it starts in the file, in bytes.
    pub offset: u64,
    /// `bios`, `efi`, or another word for what it is.
    pub kind: &'static str,
    /// The program in it.
    pub program: Program,
    /// Its version, as it prints it.
    pub version: Option<String>,
    /// Whether code for IPv6 is inside.
    pub ipv6: Fact,
    /// Whether it obeys the card's setting IP_VER.
    pub obeys_ip_ver: Fact,
    /// Whether it tries IPv6 when the card has no such setting.
    pub ipv6_when_unset: Fact,
}

/// What is known of a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Proof {
    /// The program; of several, the first that is FlexBoot or iPXE.
    pub program: Program,
    /// The version of that program.
    pub version: Option<String>,
    /// Whether code for IPv6 is inside of any image.
    pub ipv6: Fact,
    /// Whether any image obeys the card's setting IP_VER.
    pub obeys_ip_ver: Fact,
    /// Whether any image tries IPv6 when the card has no such setting.
    pub ipv6_when_unset: Fact,
    /// Every bootable image by itself.
    pub images: Vec<ImageProof>,
}

impl Answer {
    /// Its stable word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::CannotTell => "cannot tell",
        }
    }
}

impl Program {
    /// Its stable word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::FlexBoot => "FlexBoot",
            Self::Ipxe => "iPXE",
            Self::Other => "other",
            Self::CannotTell => "cannot tell",
        }
    }

    fn is_known(self) -> bool {
        matches!(self, Self::FlexBoot | Self::Ipxe)
    }
}

impl Fact {
    pub(super) fn yes(evidence: impl Into<String>) -> Self {
        Self::new(Answer::Yes, evidence)
    }

    pub(super) fn no(evidence: impl Into<String>) -> Self {
        Self::new(Answer::No, evidence)
    }

    pub(super) fn cannot_tell(evidence: impl Into<String>) -> Self {
        Self::new(Answer::CannotTell, evidence)
    }

    pub(super) fn new(answer: Answer, evidence: impl Into<String>) -> Self {
        Self {
            answer,
            evidence: vec![evidence.into()],
        }
    }

    pub(super) fn and(mut self, evidence: impl Into<String>) -> Self {
        self.evidence.push(evidence.into());
        self
    }

    /// One fact of several images: yes if any has it, no if none has and none is
    /// missing.
    fn any(images: &[ImageProof], missing: Option<&str>, fact: fn(&ImageProof) -> &Fact) -> Self {
        let answers = || images.iter().map(|image| fact(image).answer);
        let answer = if answers().any(|answer| answer == Answer::Yes) {
            Answer::Yes
        } else if missing.is_none() && answers().all(|answer| answer == Answer::No) {
            Answer::No
        } else {
            Answer::CannotTell
        };
        let evidence = images.iter().flat_map(|image| {
            let fact = fact(image);
            fact.evidence.iter().map(|sentence| {
                if images.len() == 1 {
                    sentence.clone()
                } else {
                    format!(
                        "image {} ({}), {}: {sentence}",
                        image.image,
                        image.kind,
                        fact.answer.word()
                    )
                }
            })
        });
        Self {
            answer,
            evidence: evidence.chain(missing.map(str::to_owned)).collect(),
        }
    }
}

impl Proof {
    /// What follows for the file from its images, and from one that is missing,
    /// in words.
    pub(super) fn of(images: Vec<ImageProof>, missing: Option<&str>) -> Self {
        if images.is_empty() {
            let nothing = || Fact::cannot_tell("there is no bootable image in the file");
            return Self {
                program: Program::CannotTell,
                version: None,
                ipv6: nothing(),
                obeys_ip_ver: nothing(),
                ipv6_when_unset: nothing(),
                images,
            };
        }
        let speaks = images
            .iter()
            .find(|image| image.program.is_known())
            .or_else(|| {
                images
                    .iter()
                    .find(|image| image.program == Program::CannotTell)
            })
            .or(images.first());
        Self {
            program: speaks.map_or(Program::CannotTell, |image| image.program),
            version: speaks.and_then(|image| image.version.clone()),
            ipv6: Fact::any(&images, missing, |image| &image.ipv6),
            obeys_ip_ver: Fact::any(&images, missing, |image| &image.obeys_ip_ver),
            ipv6_when_unset: Fact::any(&images, missing, |image| &image.ipv6_when_unset),
            images,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(answer: Answer, program: Program) -> ImageProof {
        let fact = Fact::new(answer, "because");
        ImageProof {
            image: 0,
            offset: 0,
            kind: "bios",
            program,
            version: None,
            ipv6: fact.clone(),
            obeys_ip_ver: fact.clone(),
            ipv6_when_unset: fact,
        }
    }

    fn together(answers: &[Answer]) -> Answer {
        let images = answers.iter().map(|&answer| image(answer, Program::Ipxe));
        Proof::of(images.collect(), None).ipv6.answer
    }

    #[test]
    fn one_yes_is_enough_and_a_no_needs_all() {
        use Answer::{CannotTell, No, Yes};
        assert_eq!(together(&[No, Yes, CannotTell]), Yes);
        assert_eq!(together(&[No, No]), No);
        assert_eq!(together(&[No, CannotTell]), CannotTell);
        assert_eq!(together(&[]), CannotTell);
    }

    #[test]
    fn the_program_is_the_first_known_one() {
        let of = |programs: &[Program]| {
            let images = programs
                .iter()
                .map(|&program| image(Answer::CannotTell, program));
            Proof::of(images.collect(), None).program
        };
        assert_eq!(of(&[Program::Other, Program::FlexBoot]), Program::FlexBoot);
        assert_eq!(
            of(&[Program::Other, Program::CannotTell]),
            Program::CannotTell
        );
        assert_eq!(of(&[Program::Other]), Program::Other);
        assert_eq!(of(&[]), Program::CannotTell);
    }

    #[test]
    fn evidence_of_several_images_names_them() {
        let proof = Proof::of(
            vec![
                image(Answer::No, Program::Ipxe),
                image(Answer::Yes, Program::Ipxe),
            ],
            None,
        );
        assert_eq!(proof.ipv6.evidence[1], "image 0 (bios), yes: because");
    }
}
