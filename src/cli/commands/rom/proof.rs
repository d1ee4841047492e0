//! What the code of a ROM shows about IPv6, in a few lines.

use crate::image::payload::{Answer, Fact, Program, Proof};

use super::super::super::output::{CARE, DIM, GOOD, styled, table};

/// The three answers; with the evidence when it was asked for.
pub(super) fn proof_text(proof: &Proof, evidence: bool) -> String {
    let mut rows = vec![format!("program\t{}", program(proof))];
    for (name, fact) in [
        ("IPv6 code inside", &proof.ipv6),
        ("obeys the setting IP_VER", &proof.obeys_ip_ver),
        ("IPv6 without that setting", &proof.ipv6_when_unset),
    ] {
        rows.push(format!("{name}\t{}", answer(fact)));
        if evidence || fact.answer == Answer::CannotTell {
            rows.extend(
                fact.evidence
                    .iter()
                    .map(|sentence| format!("\t{}", styled(DIM, sentence))),
            );
        }
    }
    table("  ", &rows)
}

fn program(proof: &Proof) -> String {
    let name = match proof.program {
        Program::Other => "neither FlexBoot nor iPXE",
        known => known.word(),
    };
    match &proof.version {
        Some(version) => format!("{name} {version}"),
        None => name.to_owned(),
    }
}

fn answer(fact: &Fact) -> String {
    let style = match fact.answer {
        Answer::Yes => GOOD,
        Answer::No | Answer::CannotTell => CARE,
    };
    styled(style, fact.answer.word())
}
