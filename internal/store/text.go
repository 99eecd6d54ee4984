package store

import (
	"slices"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
)

// addText requires that an event contains all words of a text, in any order and also within longer words. A text in
// double quotes is one word. A number with punctuation, such as a phone number, is searched by its digits. A text
// without words matches no event.
func (c *conditions) addText(text string) {
	before := len(c.terms)
	parts := strings.Split(text, `"`)
	for i, part := range parts {
		if quoted := i%2 == 1 && i < len(parts)-1; quoted {
			if strings.TrimFunc(part, invisible) != "" {
				c.require(c.found(part))
			}
			continue
		}
		c.addWords(strings.Fields(part))
	}
	if len(c.terms) == before {
		c.require("false")
	}
}

// addWords treats consecutive words that form a number, such as +7 (916) 123-45-67, as one.
func (c *conditions) addWords(words []string) {
	for len(words) > 0 {
		n := slices.IndexFunc(words, func(word string) bool { return strings.ContainsFunc(word, notOfNumber) })
		if n < 0 {
			n = len(words)
		}
		digits := phoneDigits(strings.Join(words[:n], ""))
		n = max(n, 1)
		each := c.eachFound(words[:n])
		if digits != "" {
			c.require("(" + c.found(digits) + " OR " + strings.Join(each, " AND ") + ")")
		} else {
			c.require(each...)
		}
		words = words[n:]
	}
}

// notOfNumber reports whether a rune cannot be part of a phone number.
func notOfNumber(r rune) bool {
	return (r < '0' || r > '9') && !strings.ContainsRune("+()./-\u2010\u2011\u2012\u2013\u2014\u2015", r)
}

// phoneDigits returns the digits of a number with at least five, else "". Eleven or twelve digits begin with the
// prefix of a country or of long distance, before the ten that are always dialled: +7 and 8 in Russia, +380 and 0 in
// Ukraine.
func phoneDigits(number string) string {
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, number)
	switch n := len(digits); n {
	case 0, 1, 2, 3, 4:
		return ""
	case 11, 12:
		return digits[n-10:]
	}
	return digits
}

// eachFound returns one condition per word, without the punctuation around it.
func (c *conditions) eachFound(words []string) (terms []string) {
	for _, word := range words {
		if word = strings.TrimFunc(word, func(r rune) bool { return unicode.IsPunct(r) || invisible(r) }); word != "" {
			terms = append(terms, c.found(word))
		}
	}
	return terms
}

// found requires that an event contains a text or, because people copy from bodies, its value in JSON.
func (c *conditions) found(text string) string {
	texts := []string{text}
	if plain, err := jsontext.AppendUnquote(nil, `"`+text+`"`); err == nil && strings.Contains(text, `\`) {
		texts = append(texts, string(plain))
	}
	var terms []string
	for _, text := range texts {
		wanted := Normalized(c.bind("String", text))
		// Not multiSearchAny: that of ClickHouse 26.7 misses matches on processors without AVX-512.
		terms = append(terms, "position(search_text, "+wanted+") > 0", "position(search_body, "+wanted+") > 0")
	}
	return "(" + strings.Join(terms, " OR ") + ")"
}

// invisible reports whether Normalized removes a rune or turns it into a space.
func invisible(r rune) bool {
	return unicode.IsSpace(r) || unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point,
		unicode.Variation_Selector)
}

// Normalized returns an SQL expression for a text in a form that is equal for all its spellings: without differences
// of case, compatibility variants, composition of accents and invisible characters (NFKC_Casefold of Unicode, UAX 31),
// with ё as е, with one space for any white space and none at the ends. Bytes that are not UTF-8 become U+FFFD. ICU
// and RE2 do all of it, so the result is the same on every processor.
// The columns search_text and search_body, the filters for tags and fields, and the dashboards compare texts in this
// form.
func Normalized(text string) string {
	return `trimBoth(replaceRegexpAll(replaceAll(normalizeUTF8NFKCCasefold(toValidUTF8(` + text +
		`)), 'ё', 'е'), '\\s+', ' '))`
}
