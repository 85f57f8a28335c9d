package storytest

import (
	"os"
	"testing"
	"time"
)

func TestAFolderThatAlreadyHasTheFilesIsAdopted(t *testing.T) {
	t.Parallel()
	laptop, phone := onLAN(t)
	copyTree(t, goSource(t), laptop.files, size(200, 5000))
	oddities(t, laptop.files)
	writeNoise(t, chance(t, "the big file"), laptop.at("big"), int64(size(16<<20, 256<<20)))
	write(t, laptop.at("gone later"), "deleted before the other joined")
	laptop.start()
	phone.start()
	laptop.do(nil, "add", laptop.files, "--name", label)
	laptop.do(nil, "scan", label)
	cloneFiles(t, laptop, phone)
	mustRemove(t, laptop.at("gone later"))
	laptop.do(nil, "scan", label)
	want := look(t, laptop.files)
	_, bytes := want.files()

	pair(t, laptop, phone)
	before := laptop.net.crossed(t)
	phone.accept()
	got := sameTrees(t, phone, laptop, 10*time.Minute)
	crossed := laptop.net.crossed(t) - before
	t.Logf("%d paths, %d bytes of content: %d bytes cross, %d for each path", len(want), bytes, crossed, crossed/int64(len(want)))
	// A record for each path goes both ways at most, and no content does.
	if most := int64(len(want))*2000 + 100_000; crossed > most {
		t.Errorf("%d bytes cross, more than %d", crossed, most)
	}
	if diff := want.differences(got); diff != "" {
		t.Errorf("adopting changed something (the other is now):\n%s", diff)
	}
	nothingLeft(t, laptop, phone)
}

// cloneFiles copies what is in the folder of one device to where another will
// have it, without what is kith's own.
func cloneFiles(t *testing.T, from, to *device) {
	t.Helper()
	if err := os.Remove(to.files); err != nil {
		t.Fatal(err)
	}
	clone(t, from.files, to.files)
	if err := os.RemoveAll(to.at(".kith")); err != nil {
		t.Fatal(err)
	}
}

func mustRemove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func TestWhatDiffersWhereAFolderIsAdoptedIsKeptBesideWhatIsKnown(t *testing.T) {
	t.Parallel()
	laptop, phone := atHome(t)
	copyTree(t, goSource(t), laptop.files, 50)
	write(t, laptop.at("notes.txt"), "as all know it\n")
	cloneFiles(t, laptop, phone)
	write(t, phone.at("notes.txt"), "as only the phone has it, and newer\n")
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(phone.at("notes.txt"), later, later); err != nil {
		t.Fatal(err)
	}
	write(t, phone.at("only/here.txt"), "on the phone alone\n")
	write(t, phone.at("kind"), "a file here\n")
	write(t, laptop.at("kind/of/directory"), "a directory there\n")
	share(t, laptop, phone)
	last := sameTrees(t, phone, laptop, time.Minute)
	if err := has(laptop.at("notes.txt"), "as all know it\n"); err != nil {
		t.Errorf("notes.txt, where what is known must win: %v", err)
	}
	if err := has(laptop.at("kind/of/directory"), "a directory there\n"); err != nil {
		t.Errorf("kind/of/directory: %v", err)
	}
	kept := holders(t, laptop, last, "as only the phone has it, and newer\n", "a file here\n", "on the phone alone\n")
	if copies := last.conflicts(); len(copies) != 2 || kept[0] != 1 || kept[1] != 1 || kept[2] != 1 {
		t.Errorf("conflict copies %q; so many files hold what the phone had: %v, want one each", copies, kept)
	}
	nothingLeft(t, laptop, phone)
}

func TestALostIndexCostsNothingAndRevivesNothing(t *testing.T) {
	t.Parallel()
	laptop, phone := atHome(t)
	copyTree(t, goSource(t), laptop.files, size(150, 5000))
	oddities(t, laptop.files)
	for _, name := range []string{"deleted meanwhile", "renamed meanwhile", "deleted tree/a", "deleted tree/b/c", "changed here"} {
		write(t, laptop.at(name), "this is "+name+"\n")
	}
	share(t, laptop, phone)
	sameTrees(t, phone, laptop, 5*time.Minute)
	phone.stop()
	var places struct{ Index string }
	phone.do(&places, "paths")
	if err := os.Remove(places.Index); err != nil {
		t.Fatalf("the index that kith paths tells of: %v", err)
	}
	mustRemove(t, laptop.at("deleted meanwhile"))
	mustRemove(t, laptop.at("deleted tree"))
	mustRename(t, laptop.at("renamed meanwhile"), laptop.at("new name"))
	write(t, laptop.at("made meanwhile"), "on the laptop\n")
	write(t, phone.at("made here meanwhile"), "on the phone\n")
	laptop.do(nil, "scan", label)
	want := look(t, laptop.files)
	want["made here meanwhile"] = look(t, phone.files)["made here meanwhile"]
	phone.start()
	got := sameTrees(t, phone, laptop, 5*time.Minute)
	if diff := want.differences(got); diff != "" {
		t.Errorf("after the index was lost (the other is now):\n%s", diff)
	}
	noConflicts(t, got)
	// And it goes on as before.
	write(t, phone.at("changed here"), "by the phone, with its new index\n")
	mustRemove(t, phone.at("new name"))
	last := sameTrees(t, laptop, phone, time.Minute)
	if _, ok := last["new name"]; ok {
		t.Error("a delete after the index was rebuilt had no effect")
	}
	if err := has(laptop.at("changed here"), "by the phone, with its new index\n"); err != nil {
		t.Errorf("an edit after the index was rebuilt: %v", err)
	}
	noConflicts(t, last)
	nothingLeft(t, laptop, phone)
}
