package census

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func direct(file string) (string, error) {
	if file == "gone" {
		return "", errors.New("gone")
	}
	return "sum of " + file, nil
}

func result(n int64, file string) Result {
	return Result{Number: n, File: file, Sum: "sum of " + file}
}

func TestResultsThatAreWholeAreFoundToBe(t *testing.T) {
	f, err := Check([]string{"a", "b"}, []Result{result(2, "a"), result(1, "b")}, direct)
	require.NoError(t, err)
	require.Equal(t, Finding{}, f)
}

func TestTheCheckFindsWhatIsLostTwiceWrongOrMisnumbered(t *testing.T) {
	wrong := result(2, "b")
	wrong.Sum = "another"
	for _, c := range []struct {
		says    string
		results []Result
	}{
		{"1 files have no result", []Result{result(1, "a")}},
		{"1 results are there twice", []Result{result(1, "a"), result(2, "b"), result(3, "a")}},
		{"1 results are wrong", []Result{result(1, "a"), wrong}},
		{"1 results are wrong", []Result{result(1, "a"), result(2, "b"), result(3, "unasked")}},
		{"the number after 1 is 3", []Result{result(1, "a"), result(3, "b")}},
		{"the number after 1 is 1", []Result{result(1, "a"), result(1, "b")}},
		{"the number after 0 is 2", []Result{result(2, "a"), result(3, "b")}},
	} {
		f, err := Check([]string{"a", "b"}, c.results, direct)
		require.NoError(t, err)
		require.Equal(t, []string{c.says}, f.Problems)
	}
	_, err := Check([]string{"gone"}, []Result{result(1, "gone")}, direct)
	require.EqualError(t, err, "gone")
}

func TestTheReportsCheckFindsLeadersAndTokensThatDoNotFollowEachOther(t *testing.T) {
	good := []Entry{{"a", 5, 7, 1}, {"a", 5, 8, 1}, {"b", 9, 10, 4}}
	require.Empty(t, Report{good}.Check())
	require.Equal(t, []string{"a", "b"}, Report{good}.Leaders())
	for says, last := range map[string]Entry{
		"a wrote in term 5 after b in term 9":    {"a", 5, 11, 5},
		"b held the lock with token 10 after 10": {"b", 9, 10, 5},
		"b saw 3 results after 4":                {"b", 9, 11, 3},
		"b and c led in the same term 9":         {"c", 9, 11, 5},
	} {
		require.Equal(t, []string{says}, Report{append(good[:3:3], last)}.Check())
	}
}

func TestAReportKeepsWhatOneAfterTheOtherAdds(t *testing.T) {
	file := filepath.Join(t.TempDir(), "report")
	for i := range 3 {
		require.NoError(t, Add(file, Entry{Lock: int64(i)}))
	}
	r, err := ReadReport(file)
	require.NoError(t, err)
	require.Len(t, r.Entries, 3)
}

func TestTheListHasRegularFilesInOrderAndNoHiddenDirectories(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b/c", "a", ".hidden/x", "b/.kept"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(name), 0o600))
	}
	files, more, err := List(dir, 10)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b/.kept", "b/c"}, files)
	require.False(t, more)
	files, more, err = List(dir, 2)
	require.NoError(t, err)
	require.Len(t, files, 2)
	require.True(t, more)
	sum, size, err := Sum(dir, "a")
	require.NoError(t, err)
	require.EqualValues(t, 1, size)
	require.Equal(t, "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb", sum)
}
