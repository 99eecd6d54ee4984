package store

import "io/fs"

// Spread are the statements of a migration, or of the text of one, on a cluster.
func Spread(name, database string, files fs.FS, file string) ([]string, error) {
	return cluster{name, database}.spreadFile(files, file)
}

// TextTerms are the conditions that a text makes.
func TextTerms(text string) []string {
	c := &conditions{}
	if c.addText(text); c.terms[0] == "false" {
		return nil
	}
	return c.terms
}
