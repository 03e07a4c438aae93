package queue

import "math/bits"

// sizeMark says how large the jobs of a priority are from a position on, at
// most: priority, position, bytes.
type sizeMark [3]int64

// maxMarks is how many size marks a priority has.
const maxMarks = 8

// sizes are size marks, those of one priority in the order of positions. They
// let a claim be bounded by bytes before anything is read. They are never
// changed in place: copies of a cursor share them.
type sizes []sizeMark

// sizeClass rounds a size up, so that marks are few.
func sizeClass(n int64) int64 {
	class := int64(256)
	if n > class {
		class = 1 << (bits.Len64(uint64(n-1)+1) &^ 1)
	}
	for class < n {
		class *= 4
	}
	return class
}

// with adds that jobs from a position on have n bytes at most.
func (s sizes) with(p int, from, n int64) sizes {
	class := sizeClass(n)
	count, first, last := 0, -1, -1
	for i, m := range s {
		if m[0] == int64(p) {
			if count++; first < 0 {
				first = i
			}
			last = i
		}
	}
	if last >= 0 && s[last][2] == class {
		return s
	}
	out := append(append(sizes(nil), s...), sizeMark{int64(p), from, class})
	if count == maxMarks {
		// The two oldest become one.
		second := first + 1
		for out[second][0] != int64(p) {
			second++
		}
		out[first][2] = max(out[first][2], out[second][2])
		out = append(out[:second], out[second+1:]...)
	}
	return out
}

// fit gives how many of the first positions of runs hold no more than a claim's
// bytes, as far as want, and at least one.
func (s sizes) fit(p int, runs []run, want int64) int64 {
	budget, n := int64(maxClaimBytes), int64(0)
	for _, r := range runs {
		for r.len() > 0 {
			bytes, to := int64(0), r[1]
			for _, m := range s {
				if m[0] != int64(p) {
					continue
				}
				if m[1] > r[0] {
					to = min(to, m[1])
					break
				}
				bytes = m[2]
			}
			take := min(to-r[0], want-n)
			if bytes > 0 {
				take = min(take, budget/bytes)
			}
			n += take
			budget -= take * bytes
			if take < to-r[0] {
				return max(n, 1)
			}
			r[0] = to
		}
	}
	return max(n, 1)
}
