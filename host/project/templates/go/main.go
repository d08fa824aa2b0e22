// The module {{name}}: a program, which is the task {{name}}.run. What chicory.Main is given takes the task's
// arguments and makes its result; an error is a failure.
package main

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"

	chicory "{{name}}/sdk"
)

// Summary is what is said about a text.
type Summary struct {
	Words      int      `json:"words"`
	Unique     int      `json:"unique"`
	MostCommon []string `json:"most-common"`
}

func main() { chicory.Main(summarize) }

func summarize(text string, top uint32) (Summary, error) {
	words := strings.Fields(strings.ToLower(text))
	if len(words) == 0 {
		return Summary{}, errors.New("empty text")
	}
	counts := map[string]int{}
	for _, word := range words {
		counts[word]++
	}
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(counts[b]-counts[a], strings.Compare(a, b))
	})
	return Summary{len(words), len(names), names[:min(int(top), len(names))]}, nil
}
