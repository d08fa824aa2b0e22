//! The module `{{name}}`: each `pub fn` here is a task.

#[chicory_sdk::tasks]
pub mod tasks {
    use std::collections::BTreeMap;

    pub struct Summary {
        pub words: u32,
        pub unique: u32,
        pub most_common: Vec<(String, u32)>,
    }

    /// Counts the words of a text, and names the most frequent ones.
    #[task(max_retries = 3, backoff = "exponential")]
    pub fn summarize(text: String, top: u32) -> Result<Summary, String> {
        let mut counts = BTreeMap::new();
        for word in text.split_whitespace() {
            *counts.entry(word.to_lowercase()).or_insert(0) += 1;
        }
        if counts.is_empty() {
            return Err("empty text".into());
        }
        let (words, unique) = (counts.values().sum(), counts.len() as u32);
        let mut most_common: Vec<_> = counts.into_iter().collect();
        most_common.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        most_common.truncate(top as usize);
        Ok(Summary { words, unique, most_common })
    }
}

#[cfg(test)]
mod tests {
    use chicory_sdk::testing::Host;

    use super::tasks::summarize;

    #[test]
    fn words_are_counted() {
        let seen = Host::new().run(|| summarize("b a B".into(), 1));
        assert_eq!(seen.result.unwrap().most_common, [("b".to_owned(), 2)]);
    }
}
