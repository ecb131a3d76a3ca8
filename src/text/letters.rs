//! The plain Latin letters and digits that a text seems to have, whichever characters it is written with.

use super::look_alike::looks_like;

/// The first and the last of a row of letters in the order of the alphabet, beside the first letter. Capital letters and small ones
/// are separate rows; mathematical ones follow each other.
const ROWS: [(u32, u32, u32); 9] = [
    (0x249c, 0x24b5, 26),
    (0x24b6, 0x24e9, 26),
    (0xff21, 0xff3a, 26),
    (0xff41, 0xff5a, 26),
    (0x1d400, 0x1d6a3, 26),
    (0x1f110, 0x1f129, 26),
    (0x1f130, 0x1f149, 26),
    (0x1f150, 0x1f189, 32),
    (0x1f1e6, 0x1f1ff, 26),
];

/// Single characters of other alphabets and styles, after each letter or digit that they look like.
const LETTERS: [(char, &str); 12] = [
    ('a', "ａᴀᎪꓮⲀⲁαáàâäãåāăąǎȧ"),
    ('d', "ᴅᎠꓓⅅⅆďđð"),
    ('e', "ᴇᎬꓰℯℰéèêëēĕėęě"),
    ('g', "ɢᏀꓖℊĝğġģ"),
    ('i', "ıɪᎥӀІіιΙⅠⅰⲒⲓꓲᏆ1lӏℐℑìíîïĩīĭįİǐȉȋɨỉịᴵⁱ"),
    ('m', "ᴍᎷꓟⅯⅿⲘⲙмΜℳɱṁḿṃᴹᵐ"),
    ('n', "ɴꓠⲚⲛпηΝℕñńņňŉŋǹƞṅṇᴺⁿ"),
    ('o', "0οоᴏⲞⲟꓳՕօóòôöõøōŏő"),
    ('r', "ʀᏒꓣℛℜℝŕŗř"),
    ('s', "ꜱᏕꓢՏѕ5Ꮪśŝşšșṡṣˢ"),
    ('t', "ᴛᎢꓔⲦⲧтτΤŧţťțƭṫṭᵀᵗ"),
    ('x', "ⅩⅹᏴχхΧ×"),
];

/// Signs that may stand for a letter within a word.
const SIGNS: [(char, char); 5] = [('|', 'i'), ('¦', 'i'), ('!', 'i'), ('$', 's'), ('+', 't')];

/// Whether a text seems to be a name, of letters that nothing else may seem to have: more texts are alike by this than by
/// [`looks_like`], such as `MNlST`, `M N I S T` and `𝐌𝐍𝐈𝐒𝐓`.
pub(crate) fn seems_to_be(text: &str, name: &str) -> bool {
    let name = words(name).concat();
    let signs_as_letters: String =
        text.chars().map(|c| SIGNS.iter().find(|(sign, _)| *sign == c).map_or(c, |(_, letter)| *letter)).collect();
    [text, &signs_as_letters].into_iter().any(|text| words(text).concat() == name)
}

/// The words of a text in small plain letters. Spaces and signs separate words.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in looks_like(text).chars().map(plain).flat_map(char::to_lowercase).map(plain) {
        if c.is_alphanumeric() {
            words.last_mut().expect("never empty").push(c);
        } else if !('\u{300}'..='\u{36f}').contains(&c) {
            words.push(String::new());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn plain(c: char) -> char {
    let code = u32::from(c);
    let row = ROWS.iter().find(|(first, last, _)| (*first..=*last).contains(&code));
    if let Some(letter) = row.and_then(|(first, _, length)| char::from_u32(97 + (code - first) % length)) {
        return letter;
    }
    LETTERS.iter().find(|(_, like)| like.contains(c)).map_or(c, |(letter, _)| *letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_recognised_in_any_characters() {
        for text in [
            "MNIST",
            " mnist ",
            "M\u{200b}NIST",
            "М\u{39d}ІЅТ",
            "ＭＮＩＳＴ",
            "𝐌𝐍𝐈𝐒𝐓",
            "𝕄ℕ𝕀𝕊𝕋",
            "ᴍɴɪꜱᴛ",
            "Ⓜⓝⓘⓢⓣ",
            "MNlST",
            "MN1ST",
            "M N I S T",
            "M.N.I.S.T.",
            "MNI\u{332}ST",
            "MÑİŠŤ",
            "ꓟꓠꓲꓢꓔ",
            "MNI$T",
            "MN|ST",
            "MNIST!",
            "🄼🄽🄸🅂🅃",
            "🇲🇳🇮🇸🇹",
            "«MNIST»",
        ] {
            assert!(seems_to_be(text, "MNIST"), "{text}");
        }
        for text in
            ["KMNIST", "Fashion-MNIST", "EMNIST", "QMNIST", "MNIST-C", "MINST", "Їжаки", "The original MNIST", ""]
        {
            assert!(!seems_to_be(text, "MNIST"), "{text}");
        }
        assert!(seems_to_be("MN!ST", "MNIST"));
    }
}
