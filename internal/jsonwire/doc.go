// Package jsonwire reads and writes the JSON that etcd's gateway speaks,
// without reflection and almost without allocation.
//
// # Reading
//
// A [Reader] pulls values out of one document held in memory. Objects and
// arrays are ranged over; a member whose value the loop body does not read is
// skipped, and a loop that is left early skips the rest:
//
//	var r jsonwire.Reader
//	r.Reset(body)
//	for key := range r.Object {
//		switch string(key) {
//		case "count":
//			count = r.Int64()
//		case "kvs":
//			for range r.Array {
//				kvs = append(kvs, readKV(&r))
//			}
//		}
//	}
//	if err := r.End(); err != nil { ... }
//
// The first error sticks: from then on every read returns its zero value and
// every loop ends, so a decoder checks once, at [Reader.End]. What was decoded
// before the error is to be thrown away.
//
// null reads as the zero value of whatever is asked for, an absent member is
// simply not seen; both are how protojson writes a zero. Integers are taken
// as JSON numbers or as strings, enums by name or number.
//
// Whatever a Reader accepts to the end is valid JSON (RFC 8259) within
// [MaxDepth]. The opposite does not hold: integers with a fraction or an
// exponent are refused, and so is base64 that is not standard, padded and
// canonical. Like encoding/json, a Reader turns invalid UTF-8 and lone
// surrogates into U+FFFD.
//
// # Retention
//
// Nothing a Reader returns points into the document, except the key that a
// loop over an object yields and [Reader.Raw]: those are good until the
// document is reused. Bytes and strings decoded from base64 are cut from
// chunks that several values share. Keeping one keeps its chunk, which is at
// most 8 KiB; a larger value has memory of its own. Capacities are cut to the
// length, so appending to one value never touches another.
//
// # Writing
//
// The Append functions write requests. They put no commas between array
// elements unless asked to ([AppendElem]) and take member names as they are:
// names are constants of the caller, in plain ASCII without quotes.
package jsonwire
