//! Entries of PHP's tables of functions, in the data of a module or of the interpreter itself.

use confine_elf::{Address, Object, Placement, RelocationValue};
use confine_link::texts::{Wanted, is_of_names};
use rustc_hash::{FxHashMap, FxHashSet};

/// A function in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is called, in lower case.
    pub name: Vec<u8>,
    /// Where its address is stored.
    pub cell: Address,
}

/// What the names of functions begin with that PHP exports and its modules ask for.
const ENGINE: &str = "zend_";

/// No name of a function is longer, in bytes.
const LONGEST: usize = 100;

/// No function has more parameters, nor an entry of its parameters' table a larger number of those that are required.
const MOST_PARAMETERS: u64 = 64;

/// Any of the flags that a method has, as seen by PHP 7.0 to 7.3 and by later ones (ZEND_ACC_PUBLIC, ZEND_ACC_PROTECTED,
/// ZEND_ACC_PRIVATE in Zend/zend_compile.h). Methods are called by those who have objects, too.
const VISIBLE: u32 = 0x707;

/// The entries of an object's tables that are functions, no methods. Which are such is seen by their form (`struct
/// _zend_function_entry` in Zend/zend_API.h): addresses of a name, of code, and of a description of the parameters, whose first
/// word is how many of them are required (`ZEND_BEGIN_ARG_INFO_EX`); and two small numbers. What looks otherwise is none, and
/// counts as any other data.
pub fn find(object: &Object) -> Vec<Entry> {
    if object.placement == Placement::Fixed {
        return Vec::new();
    }
    let rows = object.relocations.windows(3).filter_map(|three| match three {
        [name, code, parameters] => {
            let is_row = code.at == name.at + 8 && parameters.at == name.at + 16;
            let text = address(name.value).filter(|_| is_row)?;
            entry(object, name.at, text, code.value, address(parameters.value)?)
        }
        _ => None,
    });
    rows.collect()
}

/// Whether an object is the interpreter, or a module of it.
pub fn is_of_engine(object: &Object) -> bool {
    let mut symbols = object.dynamic_symbols.iter();
    symbols.any(|symbol| symbol.name.starts_with(ENGINE))
}

fn address(value: RelocationValue) -> Option<Address> {
    match value {
        RelocationValue::Address(address) => Some(address),
        _ => None,
    }
}

fn entry(
    object: &Object,
    at: Address,
    text: Address,
    code: RelocationValue,
    parameters: Address,
) -> Option<Entry> {
    let is_code = match code {
        RelocationValue::Address(address) => object.is_code(address),
        RelocationValue::Symbol { .. } => true,
        _ => false,
    };
    let numbers = object.bytes_at(at + 24).first_chunk::<8>()?;
    let numbers = u64::from_le_bytes(*numbers);
    let (count, flags) = (numbers & u64::from(u32::MAX), (numbers >> 32) as u32);
    let required = u64::from_le_bytes(*object.bytes_at(parameters).first_chunk()?);
    let is_function = is_code
        && count <= MOST_PARAMETERS
        && flags & VISIBLE == 0
        && (required <= MOST_PARAMETERS || required == u64::MAX)
        && object.relocation_over(at + 24, 8).is_none()
        && object.relocation_over(parameters, 8).is_none();
    let name = name(object, text).filter(|_| is_function)?;
    Some(Entry {
        name: name.to_ascii_lowercase(),
        cell: at + 8,
    })
}

/// The identifier at an address, perhaps within namespaces: its last part.
fn name(object: &Object, at: Address) -> Option<&[u8]> {
    let bytes = object.bytes_at(at);
    let length = bytes.iter().take(LONGEST).position(|byte| *byte == 0)?;
    let name = bytes.get(..length)?.rsplit(|byte| *byte == b'\\').next()?;
    (name.len() > 1 && name.iter().all(is_of_names)).then_some(name)
}

/// Which of these names the code of an object mentions, relative to where it does. Every four bytes may be such a distance: more
/// is found than there is. Code of an object with fixed addresses mentions all that there are.
pub fn mentioned<'n>(object: &Object, names: &Wanted<'n>) -> FxHashSet<&'n [u8]> {
    let texts = texts_of(object, names);
    if object.placement == Placement::Fixed {
        return texts.into_values().collect();
    }
    let mut found = FxHashSet::default();
    let (Some(first), Some(last)) = (texts.keys().min(), texts.keys().max()) else {
        return found;
    };
    for segment in object.segments.iter().filter(|segment| segment.executable) {
        let start = segment.addresses.start;
        for (offset, window) in (0_u64..).zip(object.bytes_at(start).windows(4)) {
            let Some(distance) = window.first_chunk().map(|bytes| i32::from_le_bytes(*bytes)) else {
                continue;
            };
            let behind = start.wrapping_add(offset).wrapping_add(4);
            let target = behind.wrapping_add_signed(distance.into());
            if (first..=last).contains(&&target)
                && let Some(name) = texts.get(&target)
            {
                found.insert(*name);
            }
        }
    }
    found
}

/// Where an object has these names as texts, or at the end of one.
fn texts_of<'n>(object: &Object, names: &Wanted<'n>) -> FxHashMap<Address, &'n [u8]> {
    let mut found = FxHashMap::default();
    for segment in object.segments.iter().filter(|segment| !segment.executable) {
        let mut at = segment.addresses.start;
        for text in object.bytes_at(at).split(|byte| *byte == 0) {
            let end = at.saturating_add(text.len() as u64);
            at = end.saturating_add(1);
            found.extend(names.ends_of(text).map(|name| (end - name.len() as u64, name)));
        }
    }
    found
}
