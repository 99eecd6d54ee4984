package store

// Normalized is an SQL expression for the form of a text in which its spellings are alike: without regard to case, compatibility
// variants, composition of accents and invisible characters (NFKC_Casefold of Unicode, UAX 31), with ё as е, and with one space for
// any white space in it and none around it. Bytes that are no UTF-8 become U+FFFD. All of it is ICU's and RE2's, so that
// the result does not depend on the processor.
//
// The columns search_text and search_body, filters by tags and fields, and the dashboards compare texts in this form.
func Normalized(text string) string {
	return `trimBoth(replaceRegexpAll(replaceAll(normalizeUTF8NFKCCasefold(toValidUTF8(` + text + `)), 'ё', 'е'), '\\s+', ' '))`
}
