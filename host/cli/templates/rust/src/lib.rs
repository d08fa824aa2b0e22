//! The module `{{name}}`: each function here is a task.

use std::collections::BTreeMap;

wit_bindgen::generate!({ path: "wit" });

struct Tasks;

export!(Tasks);

impl Guest for Tasks {
    /// Counts the words of a text, and names the most frequent ones.
    fn summarize(text: String, top: u32) -> Result<Summary, String> {
        let mut counts = BTreeMap::new();
        for word in text.split_whitespace() {
            *counts.entry(word.to_lowercase()).or_insert(0) += 1;
        }
        if counts.is_empty() {
            return Err("empty text".into());
        }
        let (words, unique) = (counts.values().sum(), counts.len() as u32);
        let mut most_common: Vec<(String, u32)> = counts.into_iter().collect();
        most_common.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        most_common.truncate(top as usize);
        Ok(Summary { words, unique, most_common })
    }
}
