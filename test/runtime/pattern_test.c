/* The patterns of rename and ignore. */
#include "check.h"

static const struct {
  const char *from, *name, *to, *result; /* result null: no match */
} cases[] = {
    {"{p}.gamma", "bert.norm.gamma", "{p}.weight", "bert.norm.weight"},
    {"{p}.gamma", "gamma", "{p}.weight", NULL},
    {"{p}.gamma", "bert.gamma.x", "{p}.weight", NULL},
    {"h.{i}.attn.c_attn.weight", "h.11.attn.c_attn.weight", "h.{i}.attn.qkv.weight", "h.11.attn.qkv.weight"},
    {"{p}", "encoder.x", "bert.{p}", "bert.encoder.x"},
    {"{a}.{b}", "x.y.z", "{b}.{a}", "y.z.x"},
    {"{a}{b}", "xyz", "{b}{a}", "yzx"},
    {"{a}.{a2}", "x.y", "{a2}", "y"},
    {"cls.*", "cls.bias", "", ""},
    {"cls.*", "cls.predictions.bias", "", NULL},
    {"cls.**", "cls.predictions.bias", "", ""},
    {"cls.**", "cls", "", NULL},
    {"**.bias", "a.b.bias", "", ""},
    {"conv*.weight", "conv12.weight", "", ""},
    {"conv*.weight", "conv.weight", "", NULL},
    {"conv*.weight", "conv1.bn.weight", "", NULL},
    {"plain", "plain", "other", "other"},
    {"plain", "plainer", "other", NULL},
    {"", "", "x", "x"},
    {"", "a", "x", NULL},
    {"a{", "a{", "x", "x"},
};

int main(void) {
  for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
    char *result = NULL;
    int matched = nacre_pattern_match(cases[i].from, cases[i].name, cases[i].to, &result);
    if (matched != (cases[i].result != NULL) || (matched && strcmp(result, cases[i].result) != 0))
      printf("\"%s\" on \"%s\" gave %d \"%s\"\n", cases[i].from, cases[i].name, matched, result ? result : "");
    EXPECT(matched == (cases[i].result != NULL) && (!matched || strcmp(result, cases[i].result) == 0));
    free(result);
  }
  char *result = NULL;
  EXPECT(nacre_pattern_match("{a}.x", "b.x", "{c}", &result) == -1);
  /* No exponential time: many wildcards on a long name that does not match. */
  static char name[20001], pattern[401];
  memset(name, 'a', sizeof name - 1);
  for (int i = 0; i < 100; ++i)
    memcpy(pattern + 4 * i, "**a*", 4);
  pattern[399] = 'b';
  EXPECT(nacre_pattern_match(pattern, name, NULL, NULL) == 0);
  return finish();
}
