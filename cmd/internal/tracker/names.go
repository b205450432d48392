package tracker

import (
	"encoding/binary"
	"fmt"
)

var (
	manners = []string{
		"able", "brave", "bright", "calm", "clever", "crisp", "eager", "fair", "fond", "frank", "gentle", "glad", "grand", "honest", "keen", "kind",
		"lively", "lucky", "mellow", "merry", "neat", "nimble", "patient", "polite", "proud", "quick", "quiet", "sharp", "shy", "sturdy", "swift", "wise",
	}
	animals = []string{
		"ant", "badger", "bear", "bee", "bison", "crane", "crow", "deer", "dolphin", "eel", "falcon", "finch", "fox", "goat", "goose", "hare",
		"heron", "ibex", "jay", "lark", "lynx", "mole", "moth", "newt", "otter", "owl", "perch", "robin", "seal", "snail", "trout", "wren",
	}
)

// newRunName draws a name for a run without one, such as "keen-otter-417".
func (t *Tracker) newRunName() (string, error) {
	b := make([]byte, 4)
	if err := t.random(b); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s-%s-%d", manners[int(b[0])%len(manners)], animals[int(b[1])%len(animals)], binary.BigEndian.Uint16(b[2:])%1000), nil
}
