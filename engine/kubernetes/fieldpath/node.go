package fieldpath

// Node is an object or a list that is read field by field, such as a Go struct with JSON
// tags. Find, Text, Int, Maps and Items follow a path through it as they do through the
// map[string]any or []any that its JSON decodes to.
//
// Field and Item return nil for an absent or null value, a string, bool, int64 or float64,
// a map[string]any or []any, or another Node.
type Node interface {
	// Field returns the field of an object; nil of a list.
	Field(name string) any
	// Item returns an item of a list. i is at least 0 and less than Len.
	Item(i int) any
	// Len returns the number of items of a list; 0 of an object.
	Len() int
	// JSON converts the Node to maps and lists.
	JSON() any
}

// Items returns the items of the list at a path, without converting those that are Nodes.
func Items(from any, path ...any) []any {
	switch list := walk(from, path).(type) {
	case []any:
		return list
	case Node:
		out := make([]any, list.Len())
		for i := range out {
			out[i] = list.Item(i)
		}
		return out
	}
	return nil
}
