// Package archive stores rows of ClickHouse's tables in Parquet files, with every value unchanged; only the order of a
// map's keys may differ.
//
// In a backup, strings are bytes. DuckDB shows them as text with binary_as_string, as pyarrow does after a cast. An
// export of events has text where the values are text.
//
// A backup is a directory with a Parquet file for each table and manifest.json, which is written last: a directory
// without one is not a backup. A file gets its name when it is complete and on disk, never before.
package archive
