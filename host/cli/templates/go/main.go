// The module {{name}}: a program, which is the task {{name}}.run. Its arguments are the task's, its
// output is the result, and another exit code than 0 is a failure.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
)

// Summary is what is said about a text.
type Summary struct {
	Words      int      `json:"words"`
	Unique     int      `json:"unique"`
	MostCommon []string `json:"most-common"`
}

func main() {
	if len(os.Args) != 3 {
		fail("the arguments are a text, and how many words to name")
	}
	top, err := strconv.Atoi(os.Args[2])
	if err != nil || top < 0 {
		fail("the second argument is a number")
	}
	words := strings.Fields(strings.ToLower(os.Args[1]))
	if len(words) == 0 {
		fail("empty text")
	}
	json.NewEncoder(os.Stdout).Encode(summarize(words, top))
}

func summarize(words []string, top int) Summary {
	counts := map[string]int{}
	for _, word := range words {
		counts[word]++
	}
	var names []string
	for word := range counts {
		names = append(names, word)
	}
	sort.Slice(names, func(i, j int) bool {
		if counts[names[i]] != counts[names[j]] {
			return counts[names[i]] > counts[names[j]]
		}
		return names[i] < names[j]
	})
	return Summary{len(words), len(names), names[:min(top, len(names))]}
}

func fail(reason string) {
	fmt.Fprintln(os.Stderr, reason)
	os.Exit(1)
}
