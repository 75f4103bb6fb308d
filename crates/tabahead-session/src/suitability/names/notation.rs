//! Paths as people read them: characters that look like others, and notations of a path in a name.
//!
//! A pure function of a path. It does not know which names are secret.

use icu_normalizer::DecomposingNormalizerBorrowed;

/// Characters of other scripts, and what people take them for, in the same order.
const LOOK_ALIKES: [(&str, &str); 10] = [
    // Cyrillic, small and capital.
    ("авьсԁегһіјкӏмнпорԛѕтуѵԝх", "abbcderhijklmhnopqstyvwx"),
    ("АВСЕНІЈКМОРЅТУХ", "abcehijkmopstyx"),
    // Greek.
    ("αβεγηικνορτυχω", "abeynikvoptuxw"),
    ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "abezhikmnoptyx"),
    // Armenian.
    ("հոօսցզ", "hnougq"),
    // Latin.
    ("ıɩɑɡ℮ɛ", "iiagee"),
    ("ᴀʙᴄᴅᴇɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "abcdeghijklmnoprstuvwyz"),
    // Dots, hyphens and blanks.
    ("。ꓸ", ".."),
    ("\u{2010}\u{2012}\u{2013}\u{2014}\u{2015}\u{2212}", "------"),
    ("\u{1680}", " "),
];

/// Returns a path as people read it, in small letters, with `/` between its parts. Characters
/// without width and marks above letters are left out; those of other scripts and styles are what
/// they look like. Blanks around a part and dots after it are left out, as Windows leaves them out.
pub(super) fn as_read(path: &str) -> String {
    // Compatible characters are those of full width, mathematical letters, ligatures.
    let path = DecomposingNormalizerBorrowed::new_nfkd().normalize(path);
    let letters = path.chars().filter(|&c| has_width(c)).map(look_alike);
    let path: String = letters.flat_map(char::to_lowercase).collect();
    let parts: Vec<&str> = path
        .split(['/', '\\'])
        .map(|part| part.trim().trim_end_matches(['.', ' ']))
        .filter(|part| !part.is_empty())
        .collect();
    parts.join("/")
}

fn has_width(c: char) -> bool {
    !matches!(c,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180e}' | '\u{feff}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}'
        // Marks.
        | '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

fn look_alike(c: char) -> char {
    if c.is_ascii() {
        return c;
    }
    let as_seen = |(others, letters): &(&str, &str)| {
        let at = others.chars().position(|other| other == c)?;
        letters.chars().nth(at)
    };
    LOOK_ALIKES.iter().find_map(as_seen).unwrap_or(c)
}

/// Returns the paths that a path as read may mean in another notation: a copy that an editor
/// named after the whole path of the original, and a file in a folder of chezmoi or of Stow.
pub(super) fn other_notations(path: &str) -> impl Iterator<Item = String> {
    [of_backup(path), of_dotfiles(path)].into_iter().flatten()
}

/// Returns the original of `!w!.ssh!config~` or `%w%.ssh%config.swp`, as Emacs and Vim call copies
/// that they keep in a folder of their own, or of `%2fw%2f.ssh%2fconfig`.
fn of_backup(path: &str) -> Option<String> {
    let name = path.rsplit('/').next()?;
    let separator = ["%2f", "%5c", "!", "%"]
        .into_iter()
        .find(|separator| name.matches(separator).count() > 1)?;
    Some(name.trim_start_matches('#').replace(separator, "/"))
}

/// Returns the path with a dot for each `dot_` of chezmoi and `dot-` of Stow, and without what
/// chezmoi puts before it: `private_dot_ssh`.
fn of_dotfiles(path: &str) -> Option<String> {
    const ATTRIBUTES: [&str; 9] = [
        "private_",
        "encrypted_",
        "readonly_",
        "executable_",
        "exact_",
        "create_",
        "modify_",
        "symlink_",
        "empty_",
    ];

    let with_dot = |part: &str| -> String {
        let mut rest = part;
        while let Some(shorter) = ATTRIBUTES
            .iter()
            .find_map(|before| rest.strip_prefix(before))
        {
            rest = shorter;
        }
        let hidden = rest
            .strip_prefix("dot_")
            .or_else(|| rest.strip_prefix("dot-"));
        hidden.map_or_else(|| part.to_owned(), |name| format!(".{name}"))
    };
    (path.contains("dot_") || path.contains("dot-"))
        .then(|| path.split('/').map(with_dot).collect::<Vec<_>>().join("/"))
}
