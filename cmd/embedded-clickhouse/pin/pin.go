// Package pin says which engine is embedded, for the program that fetches it and for those that tell of it.
package pin

// Engine is the version of libchdb, by the npm packages @chdb/lib-*.
const Engine = "26.7.3-stable.1"
