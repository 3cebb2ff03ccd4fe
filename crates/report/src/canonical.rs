//! One order for everything, so that the same findings always make the same bytes.

use std::cmp::Ordering;

use crate::Report;

impl Report {
    /// Sorts every list that has no order of its own and keeps the indices pointing where they did.
    ///
    /// Objects and programs are sorted by path; lists that mean something by their order (a chain, the loader's
    /// order, a command line, ways found) stay as they are.
    #[must_use]
    pub fn canonical(mut self) -> Self {
        let objects = sort(&mut self.objects, |left, right| left.path.cmp(&right.path));
        let programs = sort(&mut self.programs, |left, right| left.path.cmp(&right.path));
        for program in &mut self.programs {
            program.invoked.sort();
            program.arguments.sort();
            program.assumptions.sort();
            program.calls.sort_by_key(|call| call.number);
            for executed in &mut program.executes {
                *executed = moved(&programs, *executed);
            }
            program.executes.sort_unstable();
            for loaded in &mut program.objects {
                loaded.object = moved(&objects, loaded.object);
            }
            for call in &mut program.calls {
                let combinations = call
                    .arguments
                    .iter_mut()
                    .flat_map(|combination| &mut combination.chain);
                for step in call.chain.iter_mut().chain(combinations) {
                    step.object = moved(&objects, step.object);
                }
                call.arguments
                    .sort_by(|left, right| left.restrictions.cmp(&right.restrictions));
            }
        }
        for allowed in &mut self.allowed {
            for program in &mut allowed.by {
                *program = moved(&programs, *program);
            }
            allowed.by.sort_unstable();
            allowed.arguments.sort();
        }
        self.image.environment.sort();
        self.scripts.sort_by(|left, right| left.path.cmp(&right.path));
        self.runtime_calls.sort();
        self.widened.sort();
        self.allowed.sort_by_key(|allowed| allowed.number);
        self.assumptions.sort();
        self
    }
}

/// Sorts `items` and tells for each old index the new one.
fn sort<T>(items: &mut Vec<T>, compare: impl Fn(&T, &T) -> Ordering) -> Vec<usize> {
    let mut numbered: Vec<(usize, T)> = std::mem::take(items).into_iter().enumerate().collect();
    numbered.sort_by(|(_, left), (_, right)| compare(left, right));
    let mut moves = vec![0; numbered.len()];
    for (new, (old, _)) in numbered.iter().enumerate() {
        if let Some(slot) = moves.get_mut(*old) {
            *slot = new;
        }
    }
    items.extend(numbered.into_iter().map(|(_, item)| item));
    moves
}

/// An index that points nowhere keeps doing so.
fn moved(moves: &[usize], index: usize) -> usize {
    moves.get(index).copied().unwrap_or(index)
}

#[cfg(test)]
mod tests {
    use crate::sample;

    #[test]
    fn indices_follow_what_they_point_to() {
        let report = sample::report();
        let mut shuffled = report.clone();
        shuffled.objects.reverse();
        shuffled.programs.reverse();
        shuffled.allowed.reverse();
        shuffled.assumptions.reverse();
        let (objects, programs) = (report.objects.len(), report.programs.len());
        for program in &mut shuffled.programs {
            program
                .objects
                .iter_mut()
                .for_each(|loaded| loaded.object = objects - 1 - loaded.object);
            let steps = program.calls.iter_mut().flat_map(|call| &mut call.chain);
            steps.for_each(|step| step.object = objects - 1 - step.object);
            program.calls.reverse();
            program
                .executes
                .iter_mut()
                .for_each(|executed| *executed = programs - 1 - *executed);
        }
        let by = shuffled.allowed.iter_mut().flat_map(|allowed| &mut allowed.by);
        by.for_each(|program| *program = programs - 1 - *program);
        assert_ne!(shuffled, report);
        assert_eq!(shuffled.canonical(), report);
    }
}
