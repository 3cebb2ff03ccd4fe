//! Functions that .eh_frame describes.
//!
//! Found by PT_GNU_EH_FRAME, as unwinders find it, or by the section where a static program has no such header.
//! Hand-written assembly without unwind data is missing here; code that only a lying table describes is extra.

use std::collections::BTreeMap;

use gimli::{
    BaseAddresses, CieOrFde, CommonInformationEntry, EhFrame, EhFrameHdr, EndianSlice, FrameDescriptionEntry,
    LittleEndian, Pointer, UnwindSection,
};

use crate::landing::LandingPads;
use crate::problems::Problems;
use crate::{Address, Object, Section, UnwindFunction};

type Reader<'a> = EndianSlice<'a, LittleEndian>;
type Common<'a> = CommonInformationEntry<Reader<'a>>;
type Entry<'a> = FrameDescriptionEntry<Reader<'a>>;

/// The functions, sorted by start.
pub(crate) fn read(object: &Object, header: Option<Address>, problems: &mut Problems) -> Vec<UnwindFunction> {
    let Some(frames) = Frames::find(object, header, problems) else {
        return Vec::new();
    };
    let mut bases = BaseAddresses::default().set_eh_frame(frames.address);
    if let Some(header) = header {
        bases = bases.set_eh_frame_hdr(header);
    }
    if let Some(text) = named(object, ".text") {
        bases = bases.set_text(text.addresses.start);
    }
    let mut functions = functions(object, &frames, &bases, problems);
    functions.sort_by_key(|function| (function.code.start, function.code.end));
    functions.dedup_by(|later, earlier| {
        let same = later.code == earlier.code && later.signal_frame == earlier.signal_frame;
        if same && !later.landing_pads.is_empty() {
            earlier.landing_pads.append(&mut later.landing_pads);
            earlier.landing_pads.sort_unstable();
            earlier.landing_pads.dedup();
        }
        same
    });
    functions
}

/// Where the frame descriptions lie.
struct Frames<'a> {
    address: Address,
    bytes: &'a [u8],
    /// Whether their end is known, so that what does not parse before it is broken.
    ended: bool,
}

impl<'a> Frames<'a> {
    fn find(object: &'a Object, header: Option<Address>, problems: &mut Problems) -> Option<Self> {
        let section = named(object, ".eh_frame").map(|section| &section.addresses);
        let by_header = header.and_then(|header| {
            let address = by_header(object, header);
            if address.is_none() {
                problems.add(format!(
                    "unwind header at {header:#x}: no address of frame descriptions"
                ));
            }
            address
        });
        let address = by_header.or_else(|| section.map(|section| section.start))?;
        let bytes = object.bytes_at(address);
        let size = section
            .filter(|section| section.start == address)
            .map(|section| section.end - section.start);
        let known = size.and_then(|size| bytes.get(..usize::try_from(size).ok()?));
        Some(Self {
            address,
            bytes: known.unwrap_or(bytes),
            ended: known.is_some(),
        })
    }
}

fn by_header(object: &Object, header: Address) -> Option<Address> {
    let bases = BaseAddresses::default().set_eh_frame_hdr(header);
    let parsed = EhFrameHdr::new(object.bytes_at(header), LittleEndian)
        .parse(&bases, 8)
        .ok()?;
    follow(object, parsed.eh_frame_ptr()).filter(|address| !object.bytes_at(*address).is_empty())
}

fn functions(
    object: &Object,
    frames: &Frames<'_>,
    bases: &BaseAddresses,
    problems: &mut Problems,
) -> Vec<UnwindFunction> {
    let section = EhFrame::new(frames.bytes, LittleEndian);
    let mut functions = Vec::new();
    let mut common: BTreeMap<usize, Common<'_>> = BTreeMap::new();
    let mut waiting = Vec::new();
    let mut pads = LandingPads::new(object);
    let mut broken = 0_usize;
    let mut entries = section.entries(bases);
    // Bounded: every entry consumes its own bytes.
    loop {
        match entries.next() {
            Ok(None) => break,
            Ok(Some(CieOrFde::Cie(entry))) => {
                common.insert(entry.offset(), entry);
            }
            Ok(Some(CieOrFde::Fde(partial))) => match common.get(&partial.cie_offset().0) {
                Some(entry) => match partial.parse(|_, _, _| Ok(entry.clone())) {
                    Ok(entry) => functions.extend(function(object, &entry, &mut pads)),
                    Err(_) => broken += 1,
                },
                None => waiting.push(partial),
            },
            Err(error) => {
                if frames.ended {
                    problems.add(format!("frame descriptions at {:#x}: {error}", frames.address));
                }
                break;
            }
        }
    }
    // A description may come before what it shares with others. One whose shared part is no entry of this table
    // is broken: to look for it at any offset would let a small file cost quadratic time.
    for partial in waiting {
        let parsed = common
            .get(&partial.cie_offset().0)
            .map(|entry| partial.parse(|_, _, _| Ok(entry.clone())));
        match parsed {
            Some(Ok(entry)) => functions.extend(function(object, &entry, &mut pads)),
            _ => broken += 1,
        }
    }
    if broken > 0 {
        problems.add(format!(
            "frame descriptions at {:#x}: {broken} broken",
            frames.address
        ));
    }
    if let Some(problem) = pads.problem() {
        problems.add(problem);
    }
    functions
}

/// The function of one description; `None` for one whose code was discarded or lies outside code.
fn function(object: &Object, entry: &Entry<'_>, pads: &mut LandingPads<'_>) -> Option<UnwindFunction> {
    let start = entry.initial_address();
    let end = start.checked_add(entry.len()).filter(|end| *end > start)?;
    if !object.is_code(start) {
        return None;
    }
    let table = entry
        .lsda()
        .and_then(|pointer| follow(object, pointer))
        .filter(|address| *address != 0);
    Some(UnwindFunction {
        code: start..end,
        landing_pads: table.map(|table| pads.read(table, start)).unwrap_or_default(),
        signal_frame: entry.is_signal_trampoline(),
    })
}

fn follow(object: &Object, pointer: Pointer) -> Option<Address> {
    match pointer {
        Pointer::Direct(address) => Some(address),
        Pointer::Indirect(address) => object.word_at(address),
    }
}

fn named<'a>(object: &'a Object, name: &str) -> Option<&'a Section> {
    object.sections.iter().find(|section| section.name == name)
}
