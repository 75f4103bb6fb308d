//! Detection of runs of characters that are random rather than written: letters and digits
//! alternate, or letters follow one another as in no word.
//!
//! Judges characters alone; `line.rs` decides where it matters.

/// Minimum length of a value; shorter ones cannot be distinguished from words.
pub(super) const SHORTEST: usize = 8;

/// Minimum number of letters for a run to be judged by its pairs of letters.
const SHORTEST_OF_LETTERS: usize = 16;

/// Pairs of letters that words are made of.
const PAIRS: &str = "th he in er an re nd on en at ou ed ha to or it is hi es ng st ar te se me ve al le of nt ti ri ra ro li la el ll de \
co ma ne ic io ea us ce ta ch et no ur ho ca si lo ec pe un om di as tr em pr wo rs ge ut ss ct po am ts ad im ab ol mo pl sh \
ac ex ir ie up id ke ay ow ul ni op da ot so su ag fo ev ap ty ee oo tt pp ff sp ig mp ck ns bl ai ub ew ld wh cr cl fi ly il \
ok sc nc rt ed gr br pa ba be bo bu do fa fe fr ga go gu ki ko mi mu na nu pi pu qu sa si sk sl sm sn sw te tu tw va vi wa we wi ye yo \
ef eg ei ep if iv ip ob od og os ov oc af av az au ey ft gh ht ki lf lk lm lt lu my nk nl nn ny ph ps rd rg rk rl rm rn rr ru ry \
dd gg mm um ui ue ud uc ug ks ls ms ds gs bs ys ws";

/// The same pairs, indexed by the first letter, with a bit for each second letter.
const COMMON: [u32; 26] = {
    let pairs = PAIRS.as_bytes();
    let mut common = [0; 26];
    let mut at = 0;
    while at + 1 < pairs.len() {
        common[(pairs[at] - b'a') as usize] |= 1 << (pairs[at + 1] - b'a');
        at += 3;
    }
    common
};

/// Composition of a run of characters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Composition {
    letters: usize,
    digits: usize,
    /// Number of places where a letter is next to a digit, or a capital follows a small letter.
    changes: usize,
}

/// Kind of each byte: none, a digit, a small letter or a capital.
const KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        kinds[byte as usize] = match byte {
            b'0'..=b'9' => 1,
            b'a'..=b'z' => 2,
            b'A'..=b'Z' => 3,
            _ => 0,
        };
        byte += 1;
    }
    kinds
};

/// Set of the changes among all pairs of kinds: bit `4 * previous + current`.
const CHANGES: u16 = {
    let (digit, small, capital) = (1, 2, 3);
    1 << (4 * digit + small)
        | 1 << (4 * digit + capital)
        | 1 << (4 * small + digit)
        | 1 << (4 * capital + digit)
        | 1 << (4 * small + capital)
};

impl Composition {
    fn of(run: &[u8]) -> Self {
        let mut counts = [0_usize; 4];
        let mut changes = 0;
        let mut last = 0;
        for byte in run {
            let kind = KINDS[usize::from(*byte)];
            counts[usize::from(kind & 3)] += 1;
            changes += usize::from(CHANGES >> (4 * last + kind) & 1);
            last = kind;
        }
        Self {
            letters: counts[2] + counts[3],
            digits: counts[1],
            changes,
        }
    }

    fn alternates(&self) -> bool {
        self.changes >= 3 && self.changes * 5 >= self.letters + self.digits
    }

    fn is_of_letters(&self) -> bool {
        self.letters >= SHORTEST_OF_LETTERS && self.digits * 2 <= self.letters
    }
}

/// Returns whether a run looks random.
pub(super) fn is_random(run: &[u8]) -> bool {
    let composition = Composition::of(run);
    let characters = composition.letters + composition.digits;
    if characters < SHORTEST || is_number(run) || is_constant(run) || different(run) < 4 {
        return false;
    }
    (composition.alternates() && !is_of_words(run, characters))
        || (composition.is_of_letters() && is_no_word(run))
}

/// Returns whether at least half of the characters of a run are in words, as in `LongHashFn128`. A
/// word is three or more letters that follow one another as they do in words; the first may be a
/// capital.
fn is_of_words(run: &[u8], characters: usize) -> bool {
    let mut in_words = 0;
    let mut at = 0;
    while at < run.len() {
        let small = run[at..]
            .iter()
            .take_while(|byte| byte.is_ascii_lowercase())
            .count();
        let has_capital = at > 0 && run[at - 1].is_ascii_uppercase();
        let word = &run[at - usize::from(has_capital)..at + small];
        let (pairs, common) = pairs(word);
        if word.len() >= 3 && common * 2 > pairs {
            in_words += word.len();
        }
        at += small.max(1);
    }
    in_words * 2 >= characters
}

/// Returns whether a run is a colour, a hexadecimal number of up to 64 bits, or the address of an
/// account in a block chain.
fn is_number(run: &[u8]) -> bool {
    const DIGITS_OF_ADDRESS: usize = 40;

    // Digits in groups, and a type, are for source code.
    if let [b'0', b'x', digits @ ..] = run
        && digits.contains(&b'_')
    {
        return digits[0].is_ascii_hexdigit() || digits[0] == b'_';
    }
    let (digits, most) = match run {
        [b'#', digits @ ..] => (digits, 8),
        [b'0', b'x', digits @ ..] if digits.len() == DIGITS_OF_ADDRESS => {
            (digits, DIGITS_OF_ADDRESS)
        }
        [b'0', b'x' | b'X', digits @ ..] => (without_suffix(digits), 16),
        digits => (digits, 0),
    };
    digits.len() <= most && digits.iter().all(u8::is_ascii_hexdigit)
}

/// Returns the digits of a number without what says its type in C, and in languages like it.
fn without_suffix(digits: &[u8]) -> &[u8] {
    let suffix = digits
        .iter()
        .rev()
        .take_while(|byte| b"uUlLn".contains(byte));
    &digits[..digits.len() - suffix.count()]
}

/// Returns whether a run is the name of a constant: capitals, digits and underscores between them.
fn is_constant(run: &[u8]) -> bool {
    let is_of_name =
        |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
    run[0].is_ascii_uppercase() && run.contains(&b'_') && run.iter().all(is_of_name)
}

/// Returns whether the letters of a run follow one another as in no word: fewer than two in five
/// pairs are common.
fn is_no_word(run: &[u8]) -> bool {
    let (pairs, common) = pairs(run);
    pairs > 3 && common * 5 < pairs * 2
}

/// Returns the number of pairs of letters in a run, and how many of them are common.
fn pairs(run: &[u8]) -> (u32, u32) {
    let (mut pairs, mut common) = (0, 0);
    for pair in run.windows(2) {
        if pair.iter().all(u8::is_ascii_alphabetic) {
            let [first, second] =
                [pair[0], pair[1]].map(|letter| letter.to_ascii_lowercase() - b'a');
            pairs += 1;
            common += COMMON[usize::from(first)] >> second & 1;
        }
    }
    (pairs, common)
}

/// Returns whether a run has enough different characters to be more than a placeholder such as
/// `ghp_xxxxxxxx`.
pub(super) fn is_diverse(run: &[u8]) -> bool {
    different(run) >= 6
}

/// Returns the number of different ASCII characters in a run.
fn different(run: &[u8]) -> u32 {
    let mut seen = 0_u128;
    for &byte in run.iter().filter(|byte| byte.is_ascii()) {
        seen |= 1 << byte;
    }
    seen.count_ones()
}
