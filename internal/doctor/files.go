package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

const (
	othersRead  fs.FileMode = 0o077 // the group and everyone else, with any access
	othersWrite fs.FileMode = 0o022

	// notOfGroup is what a secret file of the operator must not allow. The group may read it:
	// on Kubernetes the gateway reads secrets that it does not own.
	notOfGroup fs.FileMode = 0o027

	// minFreeBytes is the minimum free space of a disk: enough for some hundred thousand
	// sessions, and for the copy of a small file during compaction.
	minFreeBytes = 256 << 20
)

// SecretFile reports whether only its owner has access to a file with a secret or with
// sessions. A file that does not exist is created by the first start.
func SecretFile(path string) Finding {
	return mode(path, othersRead, "another user of this machine can read or replace it", "chmod 600 "+path)
}

// NamedFile reports whether only its owner and group can read a file that a secret's placeholder
// names, and only its owner can change it.
func NamedFile(path string) Finding {
	return mode(path, notOfGroup, "another user of this machine can read or replace it", "chmod g-w,o= "+path)
}

// ConfigFile reports whether only its owner can change the configuration.
func ConfigFile(path string) Finding {
	return mode(path, othersWrite, "another user of this machine can change it, and so can read every secret that it names", "chmod go-w "+path)
}

func mode(path string, refused fs.FileMode, detail, advice string) Finding {
	if runtime.GOOS == "windows" {
		return Finding{Check: CheckFiles, About: path, Status: NotChecked, Detail: "Windows has no file modes"}
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Finding{Check: CheckFiles, About: path, Status: OK, Detail: "it does not exist yet; the first start creates it"}
	case err != nil:
		return Finding{CheckFiles, path, Failed, err.Error(), "Run the command as the gateway's user, and check the folder's owner."}
	case info.Mode().Perm()&refused != 0:
		return Finding{CheckFiles, path, Failed, fmt.Sprintf("its mode is %04o: %s", info.Mode().Perm(), detail), "Run " + advice}
	}
	return Finding{Check: CheckFiles, About: path, Status: OK, Detail: fmt.Sprintf("its mode is %04o", info.Mode().Perm())}
}

// Folder reports whether a folder can be written and has free space. It creates and removes one
// empty file there. For a folder that does not exist, it checks the nearest existing parent.
func Folder(check, folder string) Finding {
	existing := folder
	for {
		if _, err := os.Stat(existing); !errors.Is(err, fs.ErrNotExist) || filepath.Dir(existing) == existing {
			break
		}
		existing = filepath.Dir(existing)
	}
	probe, err := os.CreateTemp(existing, ".wxgate-doctor-*")
	if err != nil {
		return Finding{check, folder, Failed, err.Error(), "Give the gateway's user write access to the folder, and run this command as that user."}
	}
	if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
		return Finding{check, folder, Failed, err.Error(), "Check the disk."}
	}
	free, err := freeBytes(existing)
	return space(check, folder, free, err)
}

// space checks the free space of a folder that can be written.
func space(check, folder string, free uint64, err error) Finding {
	switch {
	case err != nil:
		return Finding{Check: check, About: folder, Status: OK, Detail: "it can be written; the free space is not known: " + err.Error()}
	case free < minFreeBytes:
		return Finding{check, folder, Failed, fmt.Sprintf("only %d MiB are free", free>>20),
			fmt.Sprintf("Free at least %d MiB: on a full disk logins and refreshes fail.", minFreeBytes>>20)}
	}
	return Finding{Check: check, About: folder, Status: OK, Detail: fmt.Sprintf("it can be written; %d MiB are free", free>>20)}
}

// File reports whether the file of store bolt can be opened. It does not read the file, as
// `wxgate store check` does while no gateway runs.
func File(path string) Finding {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Finding{Check: CheckStore, About: path, Status: OK, Detail: "it does not exist yet; the first start creates it"}
	}
	if err != nil {
		return Finding{CheckStore, path, Failed, err.Error(), "Run the command as the gateway's user, and check the folder's owner."}
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return Finding{CheckStore, path, Failed, err.Error(), "Give the gateway's user write access to the file."}
	}
	_ = file.Close() // nothing was written
	return Finding{Check: CheckStore, About: path, Status: OK, Detail: fmt.Sprintf("it can be written; %d MiB", info.Size()>>20)}
}
