package verify

// lists keeps sets of items, each once, as ascending lists that share their
// beginnings: a list is its parent and one more item, higher than all before
// it. List 0 is empty. Equal sets have the same number.
type lists struct {
	parent, item []int32
	child        map[uint64]int32

	// What the change at hand makes of each list, where stamp is its number.
	stamp, result []int32
	round         int32
}

func (s *lists) init() {
	s.parent, s.item = []int32{0}, []int32{-1}
	s.child = map[uint64]int32{}
}

func (s *lists) extend(list, item int32) int32 {
	key := uint64(list)<<32 | uint64(item)
	if c, ok := s.child[key]; ok {
		return c
	}
	c := int32(len(s.parent))
	s.parent, s.item = append(s.parent, list), append(s.item, item)
	s.child[key] = c
	return c
}

// with is the list and the item.
func (s *lists) with(list, item int32) int32 {
	switch last := s.item[list]; {
	case last < item:
		return s.extend(list, item)
	case last == item:
		return list
	default:
		return s.extend(s.with(s.parent[list], item), last)
	}
}

// without is the list less the item.
func (s *lists) without(list, item int32) int32 {
	switch last := s.item[list]; {
	case last < item:
		return list
	case last == item:
		return s.parent[list]
	default:
		return s.extend(s.without(s.parent[list], item), last)
	}
}

// begin starts a change: the same question for many pairs.
func (s *lists) begin() { s.round++ }

// change is with or without, remembered until the next begin.
func (s *lists) change(list, item int32, add bool) int32 {
	if int(list) < len(s.stamp) && s.stamp[list] == s.round {
		return s.result[list]
	}
	out := int32(0)
	if add {
		out = s.with(list, item)
	} else {
		out = s.without(list, item)
	}
	if int(list) >= len(s.stamp) {
		more := len(s.parent) + len(s.parent)/2 - len(s.stamp)
		s.stamp, s.result = append(s.stamp, make([]int32, more)...), append(s.result, make([]int32, more)...)
	}
	s.stamp[list], s.result[list] = s.round, out
	return out
}

// items lists what is in a list, descending, in dst.
func (s *lists) items(list int32, dst []int32) []int32 {
	for ; list != 0; list = s.parent[list] {
		dst = append(dst, s.item[list])
	}
	return dst
}
