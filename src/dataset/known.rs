//! Published data sets whose titles and classes the program knows, by the hashes of their gzipped files.
//!
//! The hashes are those of TensorFlow Datasets (`url_checksums/fashion_mnist.txt` and `kmnist.txt`, SHA-256 of the files as
//! their authors publish them). No source states hashes of the unpacked files, so unpacked files are not recognised.

use crate::text::Lang;

/// A published data set.
#[derive(Debug)]
pub struct KnownSet {
    /// What its authors call it.
    pub title: &'static str,
    /// The SHA-256 of the four files as published, gzipped.
    gzipped_sha256: [&'static str; 4],
    /// The names of the classes in English and in Ukrainian.
    classes: [[&'static str; 10]; 2],
}

impl KnownSet {
    /// The names of its classes.
    pub fn classes(&self, lang: Lang) -> &[&'static str; 10] {
        match lang {
            Lang::En => &self.classes[0],
            Lang::Uk => &self.classes[1],
        }
    }
}

/// Fashion-MNIST (Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747) and KMNIST (Clanuwat et al. 2018, arXiv:1812.01718).
static KNOWN: [KnownSet; 2] = [
    KnownSet {
        title: "Fashion-MNIST",
        gzipped_sha256: [
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ],
        classes: [
            ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"],
            ["футболка", "штани", "светр", "сукня", "пальто", "сандалія", "сорочка", "кросівок", "сумка", "черевик"],
        ],
    },
    KnownSet {
        title: "KMNIST",
        gzipped_sha256: [
            "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
            "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
        ],
        classes: [
            ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"],
            ["о", "кі", "су", "цу", "на", "ха", "ма", "я", "ре", "во"],
        ],
    },
];

/// The known data set that these gzipped files are.
pub(super) fn known(gzipped_sha256: &[&str; 4]) -> Option<&'static KnownSet> {
    KNOWN.iter().find(|set| set.gzipped_sha256 == *gzipped_sha256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_known_only_by_all_four_files() {
        for set in &KNOWN {
            assert_eq!(known(&set.gzipped_sha256).map(|known| known.title), Some(set.title));
            for i in 0..4 {
                let mut other = set.gzipped_sha256;
                other[i] = "";
                assert!(known(&other).is_none());
            }
        }
    }
}
