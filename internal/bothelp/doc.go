// Package bothelp knows what BotHelp sends: it reads bodies into [event.Decoded], checks the signature of chat
// webhooks, and tells a subscriber's messenger from the link to the profile there.
//
// # What Decode promises
//
//   - It never fails as a whole and never panics: what can be read is read, and DecodeError says what could not.
//   - DecodeError names the first key with a problem, and the body where that is damaged, with the byte offset in the
//     body (after decompression, and in UTF-8). It has no value of any key in it, so that it may be logged.
//   - Bodies in windows-1251 are read where the Content-Type names it or the bytes can hardly be anything else. NUL, and what is
//     no character, becomes U+FFFD, and DecodeError names the key.
//   - What it returns is valid UTF-8 without NUL, bounded in size (see limits.go) whatever arrived, and shares no memory
//     with the body.
//   - The same request gives the same result at every time; Decode may be called from many goroutines.
//
// It assumes nothing of the sender: the Content-Type decides nothing that the body itself tells, and a Content-Encoding
// that the body contradicts is noted, not obeyed.
//
// # What is what
//
// BotHelp sends a flow webhook (a flat object, the subscriber) when somebody reaches a step of a bot, and a chat webhook
// (event, event_timestamp, and more that its help pages do not spell out) when something happens in Conversations. See
// judge.go for how the two are told apart, and nested.go for the subscriber of a chat webhook.
package bothelp
