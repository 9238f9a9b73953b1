/* Tables: which column goes where, what cells may hold, and every way in which a row can be wrong. */
#include "fake_data.h"
#include <zlib.h>

static const fake_field row3[] = {{"row", NACRE_F32, 1, {3}}, {0}};
static const nacre_option only_file[] = {TEXT("file", "t.csv"), {0}};
static const nacre_option plain_options[] = {TEXT("file", "t.csv"), NUMBER("header", 0), {0}};

/* Opens text as a table; the first float of sample `index`, or the error. */
static nacre_dataset *table(const char *text, const fake_field *fields, const nacre_option *options) {
  write_text("t.csv", text);
  return open_data(fake_data("csv", fields, options, NULL), 0);
}

static void values(void) {
  float row[3];
  void *fields[] = {row};
  nacre_dataset *d = table("\xef\xbb\xbf"
                           "1,2.5,-3e2\r\n \" 4\" ,5,6\n\"7\",\"8\",9\n\n\r\n",
                           row3, plain_options);
  EXPECT(!d); /* a quote after a blank is text */
  d = table("\xef\xbb\xbf"
            "1,2.5,-3e2\r\n\" 4\", 5 ,6\n\"7\",\"8\",9\n\n\r\n",
            row3, plain_options);
  EXPECT(d && nacre_dataset_count(d) == 3);
  if (d) {
    EXPECT(nacre_dataset_sample(d, 0, false, 0, fields) == 0 && row[0] == 1 && row[1] == 2.5f && row[2] == -300);
    EXPECT(nacre_dataset_sample(d, 1, false, 0, fields) == 0 && row[0] == 4 && row[1] == 5 && row[2] == 6);
    EXPECT_ERROR(nacre_dataset_sample(d, 3, false, 0, fields), "samples 0 to 2");
    char place[NACRE_PLACE_TEXT];
    EXPECT(strstr(nacre_dataset_place(d, 1, place), "t.csv:2"));
  }
  nacre_dataset_close(d);
}

/* Quoted line breaks and doubled quotes; semicolons; classes by text. */
static void columns(void) {
  static const fake_field by_name[] = {
      {"width", NACRE_F32, 0, {0}}, {"label", NACRE_I32, 0, {0}}, {"index", NACRE_I64, 0, {0}}, {0}};
  const nacre_option options[] = {
      TEXT("file", "t.csv"), TEXT("delimiter", ";"), TEXTS("classes", 2, "a \"b\"", "c\nd"), {0}};
  float width;
  int32_t label;
  int64_t index;
  void *fields[] = {&width, &label, &index};
  nacre_dataset *d = table("label;note;width\n\"a \"\"b\"\"\";x;1\n\"c\nd\";y;2\n", by_name, options);
  EXPECT(d && nacre_dataset_count(d) == 2);
  EXPECT(d && nacre_dataset_sample(d, 1, false, 0, fields) == 0 && width == 2 && label == 1 && index == 1);
  char place[NACRE_PLACE_TEXT];
  EXPECT(d && strstr(nacre_dataset_place(d, 1, place), "t.csv:3"));
  nacre_dataset_close(d);

  static const fake_field pair[] = {{"x", NACRE_F64, 1, {2}}, {"n", NACRE_U8, 0, {0}}, {0}};
  const nacre_option chosen[] = {TEXT("file", "t.csv"), TEXTS("columns", 3, "c", "a", "b"), {0}};
  double x[2];
  unsigned char n;
  void *both[] = {x, &n};
  d = table("a,b,c\n1,2,3\n", pair, chosen);
  EXPECT(d && nacre_dataset_sample(d, 0, false, 0, both) == 0 && x[0] == 3 && x[1] == 1 && n == 2);
  nacre_dataset_close(d);
  const nacre_option misspelt[] = {TEXT("file", "t.csv"), TEXTS("columns", 3, "c", "a", "bb"), {0}};
  EXPECT_ERROR(!table("a,b,c\n1,2,3\n", pair, misspelt), "no column is called `bb`");
}

static void malformed(void) {
  static const struct {
    const char *text, *error;
  } cases[] = {
      {"1,2,3\n4,x,6\n", "t.csv:2:3: `x` is no number"},
      {"1,2,3\n4,5\n7,8,9\n1\n", "t.csv:2:3: 2 columns in this row, 3 in the first (the first of 2 such rows)"},
      {"1,2,3\n4,5,6,7\n", "t.csv:2:7: 4 columns"},
      {"1,2,3\n\n4,5,6\n", "t.csv:2:1: 1 columns"},
      {"1,2,3\n4,,6\n", "t.csv:2:3: `` is empty where a number is needed"},
      {"1,2,3\n4,nan,6\n", "`nan` is no finite number"},
      {"1,2,3\n4,1e39,6\n", "`1e39` does not fit"},
      {"1,2,3\n4,\"5,6\n7,8,9\n", "t.csv:2:3: a quote is never closed"},
      {"1,2,3\n4,\"5\"5,6\n", "t.csv:2:6: text after a closing quote"},
      {"1,2,3,4\n", "`map` takes 3 columns, the table has 4"},
      {"", "the table is empty"},
      {"\n\n", "the table is empty"},
      {"1,2,3\nabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz,1,1\n", "opqrstuvwxyzabcdefghijklmn...`"},
      {"1,2,3 4\n", "`3 4` is no number"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i)
    EXPECT_ERROR(!table(cases[i].text, row3, plain_options), cases[i].error);
  static const fake_field whole[] = {{"a", NACRE_I64, 0, {0}}, {"b", NACRE_U8, 0, {0}}, {0}};
  EXPECT_ERROR(!table("1,2.5\n", whole, plain_options), "`2.5` is no whole number");
  EXPECT_ERROR(!table("1,256\n", whole, plain_options), "`256` does not fit");
  int64_t a;
  unsigned char b;
  void *fields[] = {&a, &b};
  nacre_dataset *d = table("-9007199254740993,2.0\n", whole, plain_options);
  EXPECT(d && nacre_dataset_sample(d, 0, false, 0, fields) == 0 && a == -9007199254740993 && b == 2);
  nacre_dataset_close(d);
  const nacre_option labelled[] = {
      TEXT("file", "t.csv"), NUMBER("header", 0), NUMBER("label", 2), NUMBER("classes", 4), {0}};
  EXPECT_ERROR(!table("1,2,3\n1,2,4\n1,2,-1\n1,2,0.5\n", row3, labelled),
               "t.csv:2:5: `4` is no class below the limit (0 to 3) (the first of 3 such rows)");
  const nacre_option far[] = {
      TEXT("file", "t.csv"), NUMBER("header", 0), NUMBER("label", 3), NUMBER("classes", 4), {0}};
  EXPECT_ERROR(!table("1,2,3\n", row3, far), "the columns are 0 to 2");
  const nacre_option nowhere[] = {TEXT("file", "missing.csv"), {0}};
  EXPECT_ERROR(!table("1,2,3\n", row3, nowhere), "cannot open");
  EXPECT_ERROR(!table("a,b,c\n", row3, only_file), "a header and no rows");
}

static void compressed(void) {
  char path[128];
  const nacre_option options[] = {TEXT("file", "t.csv.gz"), NUMBER("header", 0), {0}};
  snprintf(path, sizeof path, "%s/t.csv.gz", test_folder());
  for (int member = 0; member < 2; ++member) { /* two members, one after the other */
    gzFile out = gzopen(path, member ? "ab" : "wb");
    for (int i = 0; i < 5000; ++i)
      gzprintf(out, "%d,%d,3\n", i, member);
    gzclose(out);
  }
  nacre_dataset *d = open_data(fake_data("csv", row3, options, NULL), 0);
  float row[3];
  void *fields[] = {row};
  EXPECT(d && nacre_dataset_count(d) == 10000);
  EXPECT(d && nacre_dataset_sample(d, 9999, false, 0, fields) == 0 && row[0] == 4999 && row[1] == 1);
  nacre_dataset_close(d);
  nacre_mapping whole;
  EXPECT(nacre_map(path, &whole) == 0);
  unsigned char *copy = malloc(whole.bytes);
  size_t bytes = whole.bytes;
  memcpy(copy, whole.data, bytes);
  nacre_unmap(&whole);
  write_file("t.csv.gz", copy, bytes - 9);
  EXPECT_ERROR(!open_data(fake_data("csv", row3, options, NULL), 0), "bad gzip: truncated");
  copy[bytes / 2] ^= 0x55;
  write_file("t.csv.gz", copy, bytes);
  EXPECT_ERROR(!open_data(fake_data("csv", row3, options, NULL), 0), "bad gzip");
  free(copy);
}

/* Every sample is in exactly one part of a split; rows of a file; take; shard. */
static void selection(void) {
  char text[4000] = "";
  for (int i = 0; i < 101; ++i)
    sprintf(text + strlen(text), "%d,0,0\n", i);
  float row[3];
  void *fields[] = {row};
  int seen[101] = {0};
  const char *const parts[] = {"train", "validate", "test"};
  const int64_t sizes[] = {71, 20, 10};
  for (int part = 0; part < 3; ++part) {
    nacre_option options[] = {TEXT("file", "t.csv"),      NUMBER("header", 0), NUMBERS("ratio", 3, 0.7, 0.2, 0.1),
                              TEXT("split", parts[part]), NUMBER("seed", 5),   {0}};
    nacre_dataset *d = table(text, row3, options);
    EXPECT(d && nacre_dataset_count(d) == sizes[part]);
    for (int64_t i = 0; d && i < nacre_dataset_count(d); ++i) {
      EXPECT(nacre_dataset_sample(d, i, false, 0, fields) == 0);
      ++seen[(int)row[0]];
    }
    nacre_dataset_close(d);
  }
  int once = 1;
  for (int i = 0; i < 101; ++i)
    once &= seen[i] == 1;
  EXPECT(once);
  int64_t held[] = {100, 3, 50};
  nacre_tensor rows = {.type = NACRE_I64, .rank = 1, .extents = {3}, .data = held, .bytes = sizeof held};
  char path[128];
  snprintf(path, sizeof path, "%s/held.npy", test_folder());
  EXPECT(nacre_npy_write(path, &rows) == 0);
  nacre_option chosen[] = {TEXT("file", "t.csv"), NUMBER("header", 0), TEXT("rows", "held.npy"), {0}};
  nacre_dataset *d = table(text, row3, chosen);
  EXPECT(d && nacre_dataset_count(d) == 3 && nacre_dataset_sample(d, 0, false, 0, fields) == 0 && row[0] == 100);
  nacre_dataset_close(d);
  for (int test = 0; test < 2; ++test) {
    nacre_option options[] = {TEXT("file", "t.csv"),
                              NUMBER("header", 0),
                              TEXT("held_back", "held.npy"),
                              TEXT("split", test ? "test" : "train"),
                              {0}};
    d = table(text, row3, options);
    EXPECT(d && nacre_dataset_count(d) == (test ? 3 : 98));
    EXPECT(d && nacre_dataset_sample(d, test ? 0 : 3, false, 0, fields) == 0 && row[0] == (test ? 3 : 4));
    nacre_dataset_close(d);
  }
  held[1] = 101;
  held[2] = 100;
  EXPECT(nacre_npy_write(path, &rows) == 0);
  EXPECT_ERROR(!table(text, row3, chosen), "held.npy, item 1: row 101, but the data has rows 0 to 100 (the first of 2");
  const nacre_option sampling[] = {NUMBER("take", 10), TEXT("shard", "rank"), {0}};
  write_text("t.csv", text);
  nacre_dataset_options where = {.folder = test_folder(), .rank = 1, .ranks = 3};
  d = nacre_dataset_open(fake_data("csv", row3, plain_options, sampling), &where);
  EXPECT(d && nacre_dataset_count(d) == 3 && nacre_dataset_sample(d, 2, false, 0, fields) == 0 && row[0] == 7);
  nacre_dataset_close(d);
}

static void ranges(void) {
  static const fake_field fields[] = {{"x", NACRE_F32, 0, {0}}, {"label", NACRE_I32, 0, {0}}, {0}};
  nacre_dataset *d = table("1,0\n1,9\n1,10\n1,-1\n", fields, plain_options);
  EXPECT(d && nacre_dataset_check_range(d, 1, 11) != 0);
  EXPECT_ERROR(d && nacre_dataset_check_range(d, 1, 10),
               "t.csv:3: `label` is 10, and must be 0 to 9 (the first of 2 such samples)");
  EXPECT(d && nacre_dataset_find_field(d, "label") == 1 && nacre_dataset_find_field(d, "y") == -1);
  nacre_dataset_close(d);
}

int main(void) {
  values();
  columns();
  malformed();
  compressed();
  selection();
  ranges();
  remove_folder();
  return finish();
}
