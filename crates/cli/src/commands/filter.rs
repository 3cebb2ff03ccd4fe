//! `confine filter`: what the kernel runs for a policy, and what it answers.

use std::fmt::Write as _;

use anyhow::{anyhow, bail};
use confine_bpf::{
    AUDIT_ARCH_X86_64, CallData, Filter, X32, always_allows, assembly, c_array, disassemble, evaluate, run,
};
use confine_policy::ARGUMENTS;

use crate::arguments::{
    AssemblyFormat, Entry, FilterAction, FilterArguments, FilterAsmArguments, FilterRunArguments,
};
use crate::output::{self, Output};
use crate::{Outcome, asked, filter_source};

/// The architecture of calls by `int 0x80` (AUDIT_ARCH_I386, include/uapi/linux/audit.h).
const AUDIT_ARCH_I386: u32 = 0x4000_0003;

/// Shows, writes or runs a filter.
pub fn filter(arguments: &FilterArguments) -> anyhow::Result<Outcome> {
    match &arguments.action {
        FilterAction::Show(input) => output::print(shown(&filter_source::filters(input)?))?,
        FilterAction::Asm(arguments) => write(arguments)?,
        FilterAction::Run(arguments) => output::print(answer(arguments)?)?,
    }
    Ok(Outcome::Done)
}

fn shown(filters: &[Filter]) -> String {
    let mut text = String::new();
    for (number, filter) in (1..).zip(filters) {
        if filters.len() > 1 {
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "; filter {number} of {}: all are installed, the most restrictive answer counts",
                filters.len()
            );
        }
        text += &disassemble(filter);
    }
    text
}

fn write(arguments: &FilterAsmArguments) -> anyhow::Result<()> {
    let output = Output::prepare(&arguments.output)?;
    let filters = filter_source::filters(&arguments.input)?;
    let text = |text: fn(&Filter) -> String| {
        let texts: Vec<String> = filters.iter().map(text).collect();
        texts.join("\n")
    };
    match (arguments.format, filters.as_slice()) {
        (AssemblyFormat::Asm, _) => output.write(text(assembly)),
        (AssemblyFormat::C, _) => output.write(text(c_array)),
        (AssemblyFormat::Raw, [filter]) => output.write(filter.to_bytes()),
        (AssemblyFormat::Raw, several) => bail!(
            "the policy takes {} filters: `confine profile --format bpf` writes a file for each",
            several.len(),
        ),
    }
}

fn answer(arguments: &FilterRunArguments) -> anyhow::Result<String> {
    let mut values = [0; ARGUMENTS];
    for (index, (slot, text)) in (0..).zip(values.iter_mut().zip(&arguments.arguments)) {
        *slot = asked::argument(arguments.call, index, text)
            .map_err(|error| anyhow!("argument {index}: {error}"))?;
    }
    let mut call = CallData::new(arguments.call, values);
    match arguments.entry {
        Entry::X8664 => {}
        Entry::X32 => call.number |= X32,
        Entry::I386 => call.architecture = AUDIT_ARCH_I386,
    }
    let filters = filter_source::filters(&arguments.input)?;
    let outcome = evaluate(&filters, &call).ok_or_else(|| anyhow!("there is no filter"))?;
    let named = match arguments.entry {
        Entry::I386 => None,
        _ => confine_kernel::name(arguments.call),
    };
    let name = named.map_or_else(|| arguments.call.to_string(), str::to_owned);
    let mut text = format!("{name}: {}\n", outcome.action);
    // Writing to a string cannot fail.
    let _ = writeln!(text, "  {} instructions executed", outcome.executed);
    if filters.len() > 1 {
        for (number, filter) in (1..).zip(&filters) {
            let own = run(filter, &call);
            let _ = writeln!(text, "    filter {number}: {} after {}", own.action, own.executed);
        }
    }
    let bitmap = match (
        always_allows(&filters, call.architecture, call.number),
        call.architecture,
    ) {
        (true, _) => {
            "allowed whatever its arguments are: from Linux 5.11 on the kernel's bitmap answers without them"
        }
        (false, AUDIT_ARCH_X86_64) => "not in the kernel's bitmap: every such call takes them",
        (false, _) => "not in the kernel's bitmap, as nothing of this architecture is allowed",
    };
    let _ = writeln!(text, "  {bitmap}");
    Ok(text)
}
