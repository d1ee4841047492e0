//! Scripts of our own for bash and zsh, where clap's fall short.
//!
//! bash cuts words at `=` and `:`, and clap's script hands the pieces on:
//! `IP_VER=` and `sim:` could not be completed. Both of clap's put a blank behind
//! `IP_VER=`, or would in zsh. The answers are written by clap all the same.

use std::ffi::OsString;
use std::io::{Error, Write};
use std::path::Path;

use clap_complete::env::{self, EnvCompleter};

/// bash, from 4.2 on.
#[derive(Debug)]
pub(super) struct Bash;

/// zsh.
#[derive(Debug)]
pub(super) struct Zsh;

const BASH: &str = r#"
_flexctl() {
    # bash cuts words at = and :, flexctl wants them whole.
    local line=${COMP_LINE:0:COMP_POINT} words=() index blanks word current cut=
    for ((index = 0; index <= COMP_CWORD; index++)); do
        blanks=${line%%[![:space:]]*}
        line=${line#"$blanks"}
        word=${COMP_WORDS[index]}
        # Of the word at the cursor what is before the cursor.
        ((index < COMP_CWORD)) || word=$line
        line=${line#"$word"}
        if [[ $index == 0 || -n $blanks ]]; then
            words+=("$word")
        else
            words[${#words[@]} - 1]+=$word
        fi
    done
    current=${words[${#words[@]} - 1]}
    if [[ $current == [\'\"]* ]]; then
        words[${#words[@]} - 1]=${current:1}
    else
        # bash replaces the last piece only.
        cut=${current%"$2"}
    fi
    mapfile -t COMPREPLY < <(
        _CLAP_IFS=$'\n' _CLAP_COMPLETE_INDEX=$((${#words[@]} - 1)) VARIABLE=bash \
            PROGRAM -- "${words[@]}" 2> /dev/null
    )
    if ((${#COMPREPLY[@]})); then
        COMPREPLY=("${COMPREPLY[@]#"$cut"}")
        if [[ ${COMPREPLY[0]} == *[=/:] ]]; then
            compopt -o nospace 2> /dev/null
        fi
    fi
}
complete -o bashdefault -o nosort -F _flexctl PROGRAM 2> /dev/null ||
    complete -o bashdefault -F _flexctl PROGRAM
"#;

const ZSH: &str = r#"#compdef PROGRAM
_flexctl() {
    local line
    local -a whole begun
    for line in "${(@f)$(
        _CLAP_IFS=$'\n' _CLAP_COMPLETE_INDEX=$((CURRENT - 1)) VARIABLE=zsh \
            PROGRAM -- "${(@Q)words}" 2> /dev/null
    )}"; do
        case ${line%%:*} in
            '') ;;
            *[=/]) begun+=("$line") ;;
            *) whole+=("$line") ;;
        esac
    done
    (( $#begun )) && _describe -V values begun -S ''
    (( $#whole )) && _describe -V values whole
}
if [[ $funcstack[1] == _flexctl ]]; then
    _flexctl "$@"
else
    compdef _flexctl PROGRAM
fi
"#;

fn fill_in(script: &str, variable: &str, program: &str) -> String {
    script
        .replace("VARIABLE", variable)
        .replace("PROGRAM", program)
}

impl EnvCompleter for Bash {
    fn name(&self) -> &'static str {
        env::Bash.name()
    }

    fn is(&self, name: &str) -> bool {
        env::Bash.is(name)
    }

    fn write_registration(
        &self,
        variable: &str,
        _name: &str,
        _bin: &str,
        program: &str,
        to: &mut dyn Write,
    ) -> Result<(), Error> {
        to.write_all(fill_in(BASH, variable, program).as_bytes())
    }

    fn write_complete(
        &self,
        command: &mut clap::Command,
        words: Vec<OsString>,
        folder: Option<&Path>,
        to: &mut dyn Write,
    ) -> Result<(), Error> {
        env::Bash.write_complete(command, words, folder, to)
    }
}

impl EnvCompleter for Zsh {
    fn name(&self) -> &'static str {
        env::Zsh.name()
    }

    fn is(&self, name: &str) -> bool {
        env::Zsh.is(name)
    }

    fn write_registration(
        &self,
        variable: &str,
        _name: &str,
        _bin: &str,
        program: &str,
        to: &mut dyn Write,
    ) -> Result<(), Error> {
        to.write_all(fill_in(ZSH, variable, program).as_bytes())
    }

    fn write_complete(
        &self,
        command: &mut clap::Command,
        words: Vec<OsString>,
        folder: Option<&Path>,
        to: &mut dyn Write,
    ) -> Result<(), Error> {
        env::Zsh.write_complete(command, words, folder, to)
    }
}
