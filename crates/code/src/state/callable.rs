//! Where an object's functions and the slots for those of other objects lie.

use std::ops::Range;

use confine_elf::{Address, Object, Placement, RelocationValue};

use crate::value::Value;

/// Where an object's functions and the slots for those of other objects lie: what is worth following.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Callable {
    code: Range<Address>,
    slots: Range<Address>,
    /// Where addresses are final, they are plain numbers.
    fixed: bool,
}

impl Callable {
    pub(crate) fn of(object: &Object) -> Self {
        let code = object.segments.iter().filter(|segment| segment.executable);
        let code = code.map(|segment| &segment.addresses);
        let start = code.clone().map(|range| range.start).min().unwrap_or(0);
        let end = code.map(|range| range.end).max().unwrap_or(0);
        let slots = object.relocations.iter().filter(|relocation| {
            matches!(
                relocation.value,
                RelocationValue::Symbol { .. } | RelocationValue::Resolved(_)
            )
        });
        let slots = slots.map(|relocation| relocation.at);
        Self {
            code: start..end,
            slots: slots.clone().min().unwrap_or(0)..slots.max().map_or(0, |last| last.saturating_add(1)),
            fixed: object.placement == Placement::Fixed,
        }
    }

    /// The addresses that a value may be and that are worth following.
    pub(super) fn followed(&self, value: &Value) -> Vec<Address> {
        match value {
            Value::Constants(_) if !self.fixed => Vec::new(),
            Value::Addresses(addresses) | Value::Constants(addresses) => {
                let addresses = addresses.as_slice().iter().copied();
                addresses.filter(|address| self.holds(address)).collect()
            }
            Value::Variable { address, .. } if self.slots.contains(address) => vec![*address],
            _ => Vec::new(),
        }
    }

    fn holds(&self, address: &Address) -> bool {
        self.code.contains(address) || self.slots.contains(address)
    }
}
