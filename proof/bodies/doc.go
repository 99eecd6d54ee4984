// Package bodies makes the bodies of flow webhooks as BotHelp sends them: about 550 bytes each, every one different, with
// the disorder of real subscribers in names, phones, addresses, ids, UTM tags and times. The same seed gives the same
// bodies, so that what came out at the other end can be compared with what was sent without keeping it.
package bodies
