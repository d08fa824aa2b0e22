// Reads an RSS or Atom feed from standard input, and prints its entries as JSON: an example of a plain
// program as a task. Must not fetch anything, and needs no grant.
package main

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"os"
	"regexp"
	"strings"
)

// entry is what RSS calls an item.
type entry struct {
	Title string `json:"title"`
	Link  string `json:"link"`
	Text  string `json:"text"`
}

// feed has the elements of both formats, of which a document has one.
type feed struct {
	Items []struct {
		Title string `xml:"title"`
		Link  string `xml:"link"`
		Text  string `xml:"description"`
	} `xml:"channel>item"`
	Entries []struct {
		Title string `xml:"title"`
		Links []struct {
			Href     string `xml:"href,attr"`
			Relation string `xml:"rel,attr"`
		} `xml:"link"`
		Text string `xml:"summary"`
	} `xml:"entry"`
}

func main() {
	var document feed
	if err := xml.NewDecoder(os.Stdin).Decode(&document); err != nil {
		fail("no feed: " + err.Error())
	}
	entries := read(document)
	if len(entries) == 0 {
		fail("no feed: there is no RSS item and no Atom entry in it")
	}
	json.NewEncoder(os.Stdout).Encode(entries)
}

func read(document feed) []entry {
	var entries []entry
	for _, item := range document.Items {
		entries = append(entries, entry{plain(item.Title), strings.TrimSpace(item.Link), plain(item.Text)})
	}
	for _, item := range document.Entries {
		link := ""
		for _, candidate := range item.Links {
			if candidate.Relation == "" || candidate.Relation == "alternate" {
				link = candidate.Href
			}
		}
		entries = append(entries, entry{plain(item.Title), link, plain(item.Text)})
	}
	return entries
}

var tag = regexp.MustCompile("<[^>]*>")

// plain is the text without markup and without more blanks than it needs.
func plain(markup string) string {
	return strings.Join(strings.Fields(html.UnescapeString(tag.ReplaceAllString(markup, " "))), " ")
}

func fail(reason string) {
	fmt.Fprintln(os.Stderr, reason)
	os.Exit(1)
}
