// Package archive keeps rows of ClickHouse's tables in files, outside of it: as Parquet, with every value as it was (but that the keys of a map may stand in
// another order).
//
// Strings are bytes in a backup. DuckDB shows them as text with binary_as_string, as pyarrow does after a cast; an export of events has
// text where there is text.
//
// A backup is a folder with a Parquet file for each table and manifest.json, which is written last: a folder without one is
// no backup. Files appear under their names when they are whole and on disk, never before.
package archive
