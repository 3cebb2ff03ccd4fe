//! `/etc/ld.so.cache`: where glibc's loader finds libraries by name without looking into folders.

use std::collections::BTreeMap;

const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";

/// From the start of the header to the first entry.
const HEADER: usize = 48;
const ENTRY: usize = 24;

/// The flags of an entry for x86-64 and the present C library.
const X86_64_LIBRARY: u32 = 0x0303;

/// A library as the cache knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cached {
    pub(crate) path: String,
    /// Only for processors with certain features.
    pub(crate) variant: bool,
}

/// The libraries for x86-64, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cache {
    libraries: BTreeMap<String, Vec<Cached>>,
}

impl Cache {
    /// Reads a cache; `None` if it is in none of the formats since glibc 2.2.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        // The oldest programs' format may come first, then offsets count from the present format's header.
        let start = bytes.windows(MAGIC.len()).position(|window| window == MAGIC)?;
        let bytes = bytes.get(start..)?;
        let count = usize::try_from(word(bytes, MAGIC.len())?).ok()?;
        let mut libraries: BTreeMap<String, Vec<Cached>> = BTreeMap::new();
        // Bounded: as many entries as the file holds, whatever the header says.
        for entry in bytes.get(HEADER..)?.chunks_exact(ENTRY).take(count) {
            if word(entry, 0)? != X86_64_LIBRARY {
                continue;
            }
            let (Some(name), Some(path)) = (text(bytes, word(entry, 4)?), text(bytes, word(entry, 8)?))
            else {
                continue;
            };
            let variant = entry
                .get(16..)
                .is_some_and(|features| features.iter().any(|byte| *byte != 0));
            libraries.entry(name).or_default().push(Cached { path, variant });
        }
        Some(Self { libraries })
    }

    /// What the cache says about a name, the common one last.
    pub(crate) fn libraries(&self, name: &str) -> Vec<&Cached> {
        let mut libraries: Vec<&Cached> = self.libraries.get(name).into_iter().flatten().collect();
        libraries.sort_by_key(|cached| !cached.variant);
        libraries
    }
}

fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes
        .get(offset..)?
        .first_chunk()
        .map(|word| u32::from_le_bytes(*word))
}

fn text(bytes: &[u8], offset: u32) -> Option<String> {
    /// The longest path that the kernel takes (`PATH_MAX`).
    const LONGEST: usize = 4096;
    let rest = bytes.get(usize::try_from(offset).ok()?..)?;
    let length = rest.iter().take(LONGEST).position(|byte| *byte == 0)?;
    Some(String::from_utf8_lossy(rest.get(..length)?).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cache with entries of (flags, features, name, path).
    fn cache(entries: &[(u32, u64, &str, &str)]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(u32::try_from(entries.len()).unwrap().to_le_bytes());
        bytes.resize(HEADER, 0);
        let mut strings = Vec::new();
        let base = HEADER + ENTRY * entries.len();
        for (flags, features, name, path) in entries {
            bytes.extend(flags.to_le_bytes());
            for text in [name, path] {
                bytes.extend(u32::try_from(base + strings.len()).unwrap().to_le_bytes());
                strings.extend(text.as_bytes());
                strings.push(0);
            }
            bytes.extend([0; 4]);
            bytes.extend(features.to_le_bytes());
        }
        bytes.extend(strings);
        bytes
    }

    fn check(bytes: &[u8], name: &str, expected: &[&str]) {
        let cache = Cache::parse(bytes).unwrap_or_default();
        let paths: Vec<&str> = cache
            .libraries(name)
            .into_iter()
            .map(|cached| cached.path.as_str())
            .collect();
        assert_eq!(paths, expected);
    }

    #[test]
    fn entries_of_this_machine_come_with_variants_first() {
        let bytes = cache(&[
            (X86_64_LIBRARY, 0, "liba.so.1", "/lib/liba.so.1"),
            (
                X86_64_LIBRARY,
                1 << 62,
                "liba.so.1",
                "/lib/glibc-hwcaps/x86-64-v3/liba.so.1",
            ),
            (3, 0, "libb.so.1", "/lib32/libb.so.1"),
        ]);
        check(
            &bytes,
            "liba.so.1",
            &["/lib/glibc-hwcaps/x86-64-v3/liba.so.1", "/lib/liba.so.1"],
        );
        check(&bytes, "libb.so.1", &[]);
        let mut with_old_format = b"ld.so-1.7.0\0\0\0\0\0".to_vec();
        with_old_format.extend(&bytes);
        check(
            &with_old_format,
            "liba.so.1",
            &["/lib/glibc-hwcaps/x86-64-v3/liba.so.1", "/lib/liba.so.1"],
        );
    }

    #[test]
    fn broken_caches_say_nothing_or_what_is_left() {
        let bytes = cache(&[(X86_64_LIBRARY, 0, "liba.so.1", "/lib/liba.so.1")]);
        for length in 0..bytes.len() {
            check(&bytes[..length], "liba.so.1", &[]);
        }
        let mut lying = bytes.clone();
        lying[MAGIC.len()..MAGIC.len() + 4].copy_from_slice(&[0xff; 4]);
        check(&lying, "liba.so.1", &["/lib/liba.so.1"]);
    }
}
