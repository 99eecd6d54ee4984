// Package people has what invented subscribers are made of: dice that fall the same way every time, and words.
package people
