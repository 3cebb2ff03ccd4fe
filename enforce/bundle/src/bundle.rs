//! A bundle: policies, each as the filters that the kernel runs, by the program that they are for.
//!
//! Little-endian, without padding but where it is said, every part at a multiple of eight bytes:
//!
//! ```text
//! header    magic "CFNEBNDL" · version u32 · flags u32 · number of entries u32 · 0 u32 · length of everything u64
//! entries   ascending by fingerprint:
//!           fingerprint [u8; 16] · offset of the policy u32 · its length u32 · number of filters u32 · mark u32 ·
//!           checksum of the policy u64
//! policies  for each filter, in the order of installation, if there are any:
//!           number of instructions u32 · 0 u32 · instructions, each a `sock_filter` of 8 bytes
//! ```
//!
//! Only the policy that is used is checked against its checksum, so that a start costs as much as its own policy.

use crate::siphash::SipHash;
use crate::{Fingerprint, put, u32_at, u64_at};

const MAGIC: [u8; 8] = *b"CFNEBNDL";
const VERSION: u32 = 1;
/// Programs that no entry is for do not start.
const DENY_UNKNOWN: u32 = 1;
/// Everybody may know it: the checksum is there for broken files.
const CHECKSUM_KEY: [u64; 2] = [0x6b63_6568_6365_6e6f, VERSION as u64];

/// Bytes of the header.
pub const HEADER_BYTES: usize = 32;
/// Bytes of an entry.
pub const ENTRY_BYTES: usize = 40;
/// Bytes of an instruction.
pub const INSTRUCTION_BYTES: usize = 8;
/// How many instructions the kernel takes in one filter: `BPF_MAXINSNS`.
pub const MAXIMUM_INSTRUCTIONS: usize = 4096;
/// Bytes in front of a filter's instructions.
const COUNT_BYTES: usize = 8;

/// What is wrong with a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// It does not begin as a bundle does.
    Magic,
    /// It is of a version that this reader does not know.
    Version,
    /// It has another length than it says, or a part of it lies outside.
    Cut,
    /// A policy does not have its checksum.
    Checksum,
    /// A policy is not the filters that it should be, or one is of a length that the kernel does not take.
    Filters,
}

/// The first part of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Whether programs that no entry is for are refused.
    pub deny_unknown: bool,
    /// How many entries follow.
    pub entries: u32,
    /// The length of the whole bundle in bytes.
    pub length: u64,
}

/// The policy of one program, as the index has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The program.
    pub fingerprint: Fingerprint,
    /// Where the policy begins, in bytes from the bundle's start.
    pub offset: u32,
    /// Its length in bytes.
    pub length: u32,
    /// How many filters it has.
    pub filters: u32,
    /// The mark that says that it is in force: [`crate::probe`].
    pub mark: u32,
    /// Its checksum.
    pub checksum: u64,
}

/// A bundle that is read where it lies.
#[derive(Debug, Clone, Copy)]
pub struct Bundle<'a> {
    bytes: &'a [u8],
    entries: &'a [[u8; ENTRY_BYTES]],
    deny_unknown: bool,
}

/// The filters of a policy, in the order in which they are installed: the instructions of each.
#[derive(Debug, Clone)]
pub struct Filters<'a> {
    rest: &'a [u8],
}

impl Header {
    /// The header's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, 8, &VERSION.to_le_bytes());
        put(
            &mut bytes,
            12,
            &(u32::from(self.deny_unknown) * DENY_UNKNOWN).to_le_bytes(),
        );
        put(&mut bytes, 16, &self.entries.to_le_bytes());
        put(&mut bytes, 24, &self.length.to_le_bytes());
        bytes
    }
}

impl Entry {
    /// The entry's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        put(&mut bytes, 0, &self.fingerprint.0);
        for (index, field) in [self.offset, self.length, self.filters, self.mark]
            .iter()
            .enumerate()
        {
            put(&mut bytes, 16 + 4 * index, &field.to_le_bytes());
        }
        put(&mut bytes, 32, &self.checksum.to_le_bytes());
        bytes
    }

    fn read(bytes: &[u8; ENTRY_BYTES]) -> Option<Self> {
        Some(Self {
            fingerprint: Fingerprint(*bytes.first_chunk()?),
            offset: u32_at(bytes, 16)?,
            length: u32_at(bytes, 20)?,
            filters: u32_at(bytes, 24)?,
            mark: u32_at(bytes, 28)?,
            checksum: u64_at(bytes, 32)?,
        })
    }
}

impl<'a> Bundle<'a> {
    /// Reads the header and finds the entries. The bytes may go on behind the bundle.
    ///
    /// # Errors
    /// When they are no bundle of this version or end before it does.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Broken> {
        if !bytes.starts_with(&MAGIC) {
            return Err(Broken::Magic);
        }
        if u32_at(bytes, 8).ok_or(Broken::Cut)? != VERSION {
            return Err(Broken::Version);
        }
        let flags = u32_at(bytes, 12).ok_or(Broken::Cut)?;
        let count = u32_at(bytes, 16).ok_or(Broken::Cut)?;
        let length = u64_at(bytes, 24).ok_or(Broken::Cut)?;
        // A flag of tomorrow may restrict, so it cannot be left out of account.
        if flags & !DENY_UNKNOWN != 0 {
            return Err(Broken::Version);
        }
        let length = usize::try_from(length).map_err(|_| Broken::Cut)?;
        let bytes = bytes.get(..length).ok_or(Broken::Cut)?;
        let entries = bytes.get(HEADER_BYTES..).ok_or(Broken::Cut)?;
        let (entries, _) = entries.as_chunks::<ENTRY_BYTES>();
        Ok(Self {
            bytes,
            entries: entries.get(..count as usize).ok_or(Broken::Cut)?,
            deny_unknown: flags & DENY_UNKNOWN != 0,
        })
    }

    /// Whether programs that no entry is for are refused.
    #[must_use]
    pub fn denies_unknown(&self) -> bool {
        self.deny_unknown
    }

    /// The entries, as they lie.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + 'a {
        self.entries.iter().filter_map(Entry::read)
    }

    /// The entry of a program.
    #[must_use]
    pub fn find(&self, program: &Fingerprint) -> Option<Entry> {
        let by_fingerprint = |entry: &[u8; ENTRY_BYTES]| match entry.first_chunk::<16>() {
            Some(fingerprint) => fingerprint.cmp(&program.0),
            None => core::cmp::Ordering::Less,
        };
        let index = self.entries.binary_search_by(by_fingerprint).ok()?;
        Entry::read(self.entries.get(index)?)
    }

    /// The filters of an entry, each of a length that the kernel takes; none if its program is known and starts as it
    /// is.
    ///
    /// # Errors
    /// When they are not as the entry says, or not as they were written.
    pub fn filters(&self, entry: &Entry) -> Result<Filters<'a>, Broken> {
        let start = entry.offset as usize;
        let end = start.checked_add(entry.length as usize).ok_or(Broken::Cut)?;
        let policy = self.bytes.get(start..end).ok_or(Broken::Cut)?;
        if checksum(policy) != entry.checksum {
            return Err(Broken::Checksum);
        }
        let filters = Filters { rest: policy };
        let mut all = filters.clone();
        for _ in 0..entry.filters {
            all.next().ok_or(Broken::Filters)?;
        }
        if !all.rest.is_empty() {
            return Err(Broken::Filters);
        }
        Ok(filters)
    }
}

impl<'a> Iterator for Filters<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let count = u32_at(self.rest, 0)? as usize;
        if count == 0 || count > MAXIMUM_INSTRUCTIONS {
            return None;
        }
        let end = COUNT_BYTES + count * INSTRUCTION_BYTES;
        let filter = self.rest.get(COUNT_BYTES..end)?;
        self.rest = self.rest.get(end..)?;
        Some(filter)
    }
}

/// The checksum of a policy's bytes.
#[must_use]
pub fn checksum(policy: &[u8]) -> u64 {
    let mut hash = SipHash::new(CHECKSUM_KEY);
    hash.write(policy);
    u64_at(&hash.finish(), 0).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Two programs: one filter of one instruction, and two of two and one.
    fn sample() -> Vec<u8> {
        let policies: [&[&[u8]]; 2] = [&[&[1; 8]], &[&[2; 16], &[3; 8]]];
        let mut bodies = Vec::new();
        let mut entries = Vec::new();
        for (index, filters) in policies.iter().enumerate() {
            let offset = HEADER_BYTES + policies.len() * ENTRY_BYTES + bodies.len();
            let mut body = Vec::new();
            for filter in *filters {
                body.extend((filter.len() as u64 / 8).to_le_bytes());
                body.extend(*filter);
            }
            let entry = Entry {
                fingerprint: Fingerprint([index as u8; 16]),
                offset: offset as u32,
                length: body.len() as u32,
                filters: filters.len() as u32,
                mark: 5,
                checksum: checksum(&body),
            };
            entries.extend(entry.to_bytes());
            bodies.extend(body);
        }
        let header = Header {
            deny_unknown: true,
            entries: 2,
            length: (HEADER_BYTES + entries.len() + bodies.len()) as u64,
        };
        [header.to_bytes().to_vec(), entries, bodies].concat()
    }

    fn filters(bytes: &[u8], program: u8) -> Result<Option<Vec<Vec<u8>>>, Broken> {
        let bundle = Bundle::read(bytes)?;
        let Some(entry) = bundle.find(&Fingerprint([program; 16])) else {
            return Ok(None);
        };
        let filters = bundle.filters(&entry)?;
        Ok(Some(filters.map(<[u8]>::to_vec).collect()))
    }

    #[test]
    fn what_was_written_is_read() {
        let bytes = sample();
        assert!(Bundle::read(&bytes).unwrap().denies_unknown());
        assert_eq!(filters(&bytes, 0), Ok(Some(vec![vec![1; 8]])));
        assert_eq!(filters(&bytes, 1), Ok(Some(vec![vec![2; 16], vec![3; 8]])));
        assert_eq!(filters(&bytes, 2), Ok(None));
        // A page has more bytes than its bundle.
        assert_eq!(
            filters(&[bytes, vec![9; 100]].concat(), 0),
            Ok(Some(vec![vec![1; 8]]))
        );
    }

    #[test]
    fn what_is_broken_is_refused() {
        let first_policy = HEADER_BYTES + 2 * ENTRY_BYTES;
        for (place, expected) in [
            (0, Broken::Magic),
            (8, Broken::Version),
            (13, Broken::Version),
            (18, Broken::Cut),
            (26, Broken::Cut),
            (HEADER_BYTES + 18, Broken::Cut),
            (HEADER_BYTES + 20, Broken::Checksum),
            (HEADER_BYTES + 24, Broken::Filters),
            (HEADER_BYTES + 32, Broken::Checksum),
            (first_policy, Broken::Checksum),
            (first_policy + 12, Broken::Checksum),
        ] {
            let mut bytes = sample();
            bytes[place] ^= 8;
            assert_eq!(filters(&bytes, 0), Err(expected), "{place}");
        }
        for length in 0..sample().len() {
            assert!(Bundle::read(&sample()[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn filters_have_a_length_that_the_kernel_takes() {
        for (count, expected) in [
            (0, Err(Broken::Filters)),
            (1, Ok(1)),
            (4096, Ok(4096)),
            (4097, Err(Broken::Filters)),
        ] {
            let mut body = u64::to_le_bytes(count).to_vec();
            body.resize(8 + count as usize * 8, 6);
            let entry = Entry {
                fingerprint: Fingerprint([0; 16]),
                offset: (HEADER_BYTES + ENTRY_BYTES) as u32,
                length: body.len() as u32,
                filters: 1,
                mark: 0,
                checksum: checksum(&body),
            };
            let header = Header {
                deny_unknown: false,
                entries: 1,
                length: (HEADER_BYTES + ENTRY_BYTES + body.len()) as u64,
            };
            let bytes = [header.to_bytes().to_vec(), entry.to_bytes().to_vec(), body].concat();
            let found = Bundle::read(&bytes).unwrap().filters(&entry);
            assert_eq!(
                found.map(|mut filters| filters.next().unwrap().len() / 8),
                expected
            );
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes: Vec<u8>, at: prop::sample::Index, change: u8) {
            let _ = filters(&bytes, 0);
            bytes = sample();
            let place = at.index(bytes.len());
            bytes[place] ^= change;
            let bundle = Bundle::read(&bytes);
            if let Ok(bundle) = bundle {
                for entry in bundle.entries() {
                    let _ = bundle.filters(&entry).map(Iterator::count);
                }
            }
        }
    }
}
