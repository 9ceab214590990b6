//! Inputs that consist of several files.

/// Begins each part but the first. No file that is read here has it by nature.
pub const BORDER: &[u8] = b"\n\x00--\x00\n";

/// The `N` parts of an input; those that there are not are empty.
pub fn parts<const N: usize>(data: &[u8]) -> [&[u8]; N] {
    let mut rest = Some(data);
    std::array::from_fn(|part| {
        let all = rest.take().unwrap_or_default();
        let border = all.windows(BORDER.len()).position(|window| window == BORDER);
        match border {
            Some(at) if part + 1 < N => {
                rest = Some(&all[at + BORDER.len()..]);
                &all[..at]
            }
            _ => all,
        }
    })
}

/// An input of these parts.
pub fn join<T: AsRef<[u8]>>(parts: &[T]) -> Vec<u8> {
    let parts: Vec<&[u8]> = parts.iter().map(AsRef::as_ref).collect();
    parts.join(BORDER)
}
