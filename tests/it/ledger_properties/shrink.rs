//! Making a failing history short: delta debugging over its steps.

/// The shortest list that was found to fail still, within so many tries.
pub(crate) fn shrink<T: Clone>(
    whole: &[T],
    tries: usize,
    mut fails: impl FnMut(&[T]) -> bool,
) -> Vec<T> {
    let mut list = whole.to_vec();
    let (mut size, mut left) = (list.len().div_ceil(2), tries);
    while size > 0 {
        let (mut at, mut shorter) = (0, false);
        while at < list.len() && left > 0 {
            let end = (at + size).min(list.len());
            let without: Vec<T> = list[..at].iter().chain(&list[end..]).cloned().collect();
            left -= 1;
            if fails(&without) {
                (list, shorter) = (without, true);
            } else {
                at = end;
            }
        }
        if left == 0 {
            break;
        }
        // Steps of one are repeated until none can go.
        if size > 1 || !shorter {
            size /= 2;
        }
    }
    list
}

#[test]
fn what_does_not_matter_goes() {
    let whole: Vec<u32> = (0..500).collect();
    let mut asked = 0;
    let short = shrink(&whole, 2_000, |list| {
        asked += 1;
        list.contains(&3) && list.contains(&77) && list.contains(&499)
    });
    assert_eq!(short, [3, 77, 499]);
    assert!(asked < 200, "{asked}");
    assert_eq!(shrink(&whole, 0, |_| true), whole);
    assert!(shrink(&whole, 10, |_| true).is_empty());
}
