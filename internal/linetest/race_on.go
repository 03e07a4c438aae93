//go:build race

package linetest

// UnderRace says that the race detector watches, which makes tests slow. It sees
// nothing new in the same steps another hundred times.
const UnderRace = true
