package store

import "io/fs"

// OwnShardedBy is what the rows of each server's own tables are spread by on a cluster.
func OwnShardedBy() map[string]string {
	own := map[string]string{}
	for table, column := range shardedBy {
		own[table+ownTable] = column
	}
	return own
}

// Spread are the statements of a migration, or of the text of one, on a cluster.
func Spread(name, database string, files fs.FS, file string) ([]string, error) {
	return cluster{name, database}.spreadFile(files, file)
}
