//! The worked example: the most common words of a text. Must not need any grant.

#[chicory_sdk::tasks]
pub mod tasks {
    use std::collections::BTreeMap;

    /// What is said about a text.
    pub struct Summary {
        pub words: u32,
        pub unique: u32,
        pub most_common: Vec<(String, u32)>,
    }

    /// Counts the words of a text, and gives the `top` most common ones.
    #[task(max_retries = 3, backoff = "exponential")]
    pub fn summarize(text: String, top: u32) -> Result<Summary, String> {
        let mut counts = BTreeMap::new();
        for word in text.to_lowercase().split_whitespace() {
            *counts.entry(word.to_owned()).or_insert(0) += 1;
        }
        let mut most_common: Vec<_> = counts.into_iter().collect();
        let (words, unique) = (
            most_common.iter().map(|(_, n)| n).sum(),
            most_common.len() as u32,
        );
        most_common.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        most_common.truncate(top as usize);
        if words == 0 {
            Err("empty text".into())
        } else {
            Ok(Summary {
                words,
                unique,
                most_common,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::tasks::summarize;

    #[test]
    fn words_are_counted() {
        let summary = summarize("b a B".into(), 1).ok().unwrap();
        assert_eq!((summary.words, summary.unique), (3, 2));
        assert_eq!(summary.most_common, [("b".to_owned(), 2)]);
        assert_eq!(summarize(" ".into(), 1).err().unwrap(), "empty text");
    }
}
