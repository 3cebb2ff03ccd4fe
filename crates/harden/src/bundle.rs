//! Writes what the `bundle` crate reads.

use std::collections::BTreeMap;

use confine_bundle::{
    ENTRY_BYTES, Entry, Fingerprint, HEADER_BYTES, Header, INSTRUCTION_BYTES, MAXIMUM_INSTRUCTIONS, checksum,
};

/// A program's policy, compiled.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Confined {
    /// The filters in the order in which they are installed, each as its instructions of eight bytes; none if the
    /// program is only to be known.
    pub filters: Vec<Vec<u8>>,
    /// The mark that one of them leaves: [`crate::probe`].
    pub mark: u32,
}

/// The bytes of a bundle for a program without an interpreter: one entry, under any fingerprint. `None` as for
/// [`write_bundle`].
#[must_use]
pub fn only(confined: Confined) -> Option<Vec<u8>> {
    write_bundle(&BTreeMap::from([(Fingerprint([0; 16]), confined)]), false)
}

/// The bytes of a bundle for an interpreter, by the programs that it starts.
///
/// `None` if a filter is none that the kernel takes by its length, or there is more of everything than four gigabytes.
#[must_use]
pub fn write_bundle(programs: &BTreeMap<Fingerprint, Confined>, deny_unknown: bool) -> Option<Vec<u8>> {
    let start = HEADER_BYTES + programs.len() * ENTRY_BYTES;
    let mut entries = Vec::new();
    let mut policies = Vec::new();
    // Programs with the same policy share its bytes.
    let mut known: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    for (fingerprint, confined) in programs {
        let policy = policy(&confined.filters)?;
        let (length, sum) = (policy.len(), checksum(&policy));
        let offset = *known.entry(policy).or_insert_with_key(|policy| {
            let offset = start + policies.len();
            policies.extend_from_slice(policy);
            offset
        });
        let entry = Entry {
            fingerprint: *fingerprint,
            offset: u32::try_from(offset).ok()?,
            length: u32::try_from(length).ok()?,
            filters: u32::try_from(confined.filters.len()).ok()?,
            mark: confined.mark,
            checksum: sum,
        };
        entries.extend(entry.to_bytes());
    }
    let header = Header {
        deny_unknown,
        entries: u32::try_from(programs.len()).ok()?,
        length: (start + policies.len()) as u64,
    };
    Some([&header.to_bytes()[..], &entries, &policies].concat())
}

fn policy(filters: &[Vec<u8>]) -> Option<Vec<u8>> {
    let mut policy = Vec::new();
    for filter in filters {
        let count = filter.len() / INSTRUCTION_BYTES;
        if filter.len() % INSTRUCTION_BYTES != 0 || !(1..=MAXIMUM_INSTRUCTIONS).contains(&count) {
            return None;
        }
        policy.extend((count as u64).to_le_bytes());
        policy.extend(filter);
    }
    Some(policy)
}

#[cfg(test)]
mod tests {
    use confine_bundle::Bundle;

    use super::*;

    fn confined(filters: &[usize], mark: u32) -> Confined {
        Confined {
            filters: filters
                .iter()
                .map(|count| vec![*count as u8; count * 8])
                .collect(),
            mark,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let programs = BTreeMap::from([
            (Fingerprint([3; 16]), confined(&[2, 4096], 0)),
            (Fingerprint([1; 16]), confined(&[5], 1)),
            (Fingerprint([2; 16]), confined(&[5], 2)),
            (Fingerprint([5; 16]), confined(&[], 3)),
        ]);
        let bytes = write_bundle(&programs, true).unwrap();
        let bundle = Bundle::read(&bytes).unwrap();
        assert!(bundle.denies_unknown());
        for (fingerprint, confined) in &programs {
            let entry = bundle.find(fingerprint).unwrap();
            assert_eq!(entry.mark, confined.mark);
            let filters: Vec<Vec<u8>> = bundle.filters(&entry).unwrap().map(<[u8]>::to_vec).collect();
            assert_eq!(filters, confined.filters);
        }
        assert_eq!(bundle.find(&Fingerprint([4; 16])), None);
        assert_eq!(bytes.len(), 32 + 4 * 40 + (8 + 16) + (8 + 4096 * 8) + (8 + 40));
    }

    #[test]
    fn filters_that_the_kernel_would_not_take_are_not_written() {
        for filters in [&[0][..], &[1, 4097]] {
            let programs = BTreeMap::from([(Fingerprint([1; 16]), confined(filters, 0))]);
            assert_eq!(write_bundle(&programs, false), None, "{filters:?}");
            assert_eq!(only(confined(filters, 0)), None, "{filters:?}");
        }
        let half = Confined {
            filters: vec![vec![0; 12]],
            mark: 0,
        };
        assert_eq!(
            write_bundle(&BTreeMap::from([(Fingerprint([1; 16]), half)]), false),
            None
        );
    }
}
