// The `nacre` command: flags in, one of the commands of Options.h called.
#include "driver/Options.h"
#include <CLI/CLI.hpp>
#include <charconv>
#include <functional>
#include <iostream>
#include <set>

using namespace nacre;

namespace {

class CommandLine {
public:
  CommandLine() : app("Compiles neural networks written in Nacre to native programs and libraries.", "nacre") {
    app.require_subcommand(1);
    app.set_version_flag("--version", "nacre " NACRE_VERSION);
    app.footer("nacre COMMAND --help shows an example of each.");
    app.failure_message([](const CLI::App *, const CLI::Error &) { return std::string(); });
    addCheck();
    addFormat();
    addExplain();
    addBuild();
    addRun();
    addTrain("train", "compiles the trainers of a file for this machine, trains and cleans up",
             "nacre train digits.nacre fit --epochs 10 --out digits.safetensors", [this] { return runTrain(options); });
    addTrain("eval", "measures a model with the loss and the metrics of a train block",
             "nacre eval digits.nacre fit --weights digits.safetensors", [this] { return runEval(options); });
    addSweep();
    addTest();
    addShow();
    addInspect();
    addCompare();
    addProfile();
    command("ops", "lists the primitive operations", "nacre ops", [this] { return runOps(options); });
    command("version", "prints the versions of Nacre and LLVM", "nacre version", [] { return runVersion(); });
  }

  int main(int argc, char **argv) {
    std::vector<std::string> words(argv + 1, argv + argc);
    if (words.empty() || (!words[0].starts_with("-") && !commands.count(words[0]))) {
      std::cerr << "error: " << (words.empty() ? "what is to be done?" : "there is no command `" + words[0] + "`")
                << " (`nacre --help` lists the commands)\n";
      return Usage;
    }
    splitRun(words);
    std::reverse(words.begin(), words.end()); // as CLI11 takes them
    try {
      app.parse(words);
    } catch (const CLI::Success &help) {
      return app.exit(help);
    } catch (const CLI::ParseError &error) {
      std::string name = app.get_subcommands().empty() ? "" : " " + app.get_subcommands()[0]->get_name();
      std::string text = error.what();
      std::replace(text.begin(), text.end(), '\n', ' ');
      std::cerr << "error: " << text << " (`nacre" << name << " --help` shows what there is)\n";
      return Usage;
    }
    if (needsFile && options.files.empty()) {
      std::cerr << "error: which file? (`nacre " << app.get_subcommands()[0]->get_name()
                << " --help` shows an example)\n";
      return Usage;
    }
    if (firstIsFile) { // the others are the call
      options.words.assign(options.files.begin() + 1, options.files.end());
      options.files.resize(1);
    }
    for (const std::string &word : settings) {
      size_t equals = word.find('=');
      if (equals == std::string::npos || equals == 0) {
        std::cerr << "error: --set needs NAME=value, not `" << word << "`\n";
        return Usage;
      }
      options.settings.push_back({word.substr(0, equals), word.substr(equals + 1)});
    }
    for (const std::string &word : sizes) {
      size_t equals = word.find('=');
      int64_t value = 0;
      const char *end = word.data() + word.size();
      if (equals == std::string::npos || equals == 0 ||
          std::from_chars(word.data() + equals + 1, end, value) != std::from_chars_result{end, std::errc()}) {
        std::cerr << "error: --size needs NAME=N, not `" << word << "`\n";
        return Usage;
      }
      options.sizes.push_back({word.substr(0, equals), value});
    }
    return action();
  }

private:
  CLI::App *command(const char *name, const char *what, const char *example, std::function<int()> run) {
    commands.insert(name);
    CLI::App *sub = app.add_subcommand(name, what);
    sub->footer(std::string("Example: ") + example);
    sub->callback([this, run] { action = run; });
    return sub;
  }

  /// FILE is asked for after parsing, so that an unknown flag is reported as such.
  void addFiles(CLI::App *sub, bool several) {
    sub->preparse_callback([this](size_t) { needsFile = true; });
    auto *files = sub->add_option("FILE", options.files, several ? "model files" : "model file");
    if (!several)
      files->expected(1);
  }
  void addDiagnostics(CLI::App *sub) {
    static const std::map<std::string, DiagnosticFormat> formats{
        {"text", DiagnosticFormat::Text}, {"line", DiagnosticFormat::Line}, {"json", DiagnosticFormat::Json}};
    sub->add_option("--diagnostics", options.diagnostics, "how errors are written: text, line or json")
        ->transform(CLI::CheckedTransformer(formats, CLI::ignore_case).description(""))
        ->type_name("FORMAT");
  }
  void addFront(CLI::App *sub) {
    addDiagnostics(sub);
    sub->add_option("--library", options.libraries, "folder in which imports are looked up, before all others")
        ->type_name("DIR")
        ->allow_extra_args(false);
    sub->add_option("--set", settings, "replaces a scalar const or a compile-time parameter of a model")
        ->type_name("NAME=value")
        ->allow_extra_args(false);
  }
  void addCompile(CLI::App *sub, const char *cpu) {
    addFront(sub);
    sub->add_option("--cpu", options.cpu,
                    std::string("the processor to compile for: native, x86-64-v2, x86-64-v3, x86-64-v4 "
                                "or a name that LLVM knows; for `build` several, A,B, of which the product takes the "
                                "best that its machine can run (default: ") +
                        cpu + ")")
        ->type_name("NAME");
    sub->add_option("--real", options.real, "the type that `real` stands for: f32, f64, bf16 or f16 (default: f32)")
        ->check(CLI::IsMember({"f32", "f64", "bf16", "f16"}).description(""))
        ->type_name("TYPE");
    sub->add_flag("--reference", options.reference, "the plain lowering: slow, and the measure of the fast one");
    sub->add_option("--winograd", options.winograd,
                    "3 x 3 convolutions by transformed filters, whose results differ by 1e-5: on (where that is "
                    "faster), off, or 2 or 4, the edge of the tiles to use everywhere (default: on)")
        ->check(CLI::IsMember({"on", "off", "2", "4"}).description(""))
        ->type_name("HOW");
    sub->add_flag(
        "--precise", options.precise,
        "results with the bits of --reference: sums in the order of the loops, no contraction, no polynomials");
  }

  void addLink(CLI::App *sub) {
    sub->add_option("--link", options.linked,
                    "an object file or static library with C functions that the file declares `extern`")
        ->type_name("FILE")
        ->allow_extra_args(false);
  }

  void addCheck() {
    CLI::App *sub = command("check", "checks names, types and shapes", "nacre check digits.nacre",
                            [this] { return runCheck(options); });
    addFiles(sub, true);
    addFront(sub);
  }
  void addFormat() {
    CLI::App *sub = command("fmt", "prints a file in canonical form", "nacre fmt -i digits.nacre",
                            [this] { return runFormat(options); });
    addFiles(sub, true);
    addDiagnostics(sub);
    auto *check =
        sub->add_flag("--check", options.formatCheck, "only says which files are not canonical; exit code 1 if any");
    auto *inPlace = sub->add_flag("-i,--in-place", options.inPlace, "rewrites the files")->excludes(check);
    sub->add_flag("--stdout", standardOutput, "writes to standard output (what happens anyway)")
        ->excludes(check)
        ->excludes(inPlace);
  }
  void addExplain() {
    CLI::App *sub = command("explain", "tells the story behind a kind of diagnostic; without one, lists them",
                            "nacre explain dimension-mismatch", [this] { return runExplain(options); });
    sub->add_option("KIND", options.words, "such as dimension-mismatch");
  }
  void addBuild() {
    CLI::App *sub = command("build", "compiles a model to a program, a library or the text of a stage",
                            "nacre build digits.nacre -o digits --emit=static --emit=header --cpu=x86-64-v3",
                            [this] { return runBuild(options); });
    addFiles(sub, false);
    sub->add_option("-o", options.output,
                    "where to write; the stem when there are several products (default: the file's stem)")
        ->type_name("NAME");
    sub->add_option("--emit", options.emit,
                    "exe (default) static shared object header, or a stage: ast checked nacre fused linalg buffers "
                    "loops llvm asm")
        ->delimiter(',')
        ->allow_extra_args(false)
        ->type_name("WHAT");
    addCompile(sub, "x86-64-v3");
    addLink(sub);
    sub->add_option("--weights", options.weights,
                    "the file of weights that the product opens by itself; MODEL=F for several models")
        ->type_name("F.safetensors")
        ->allow_extra_args(false);
    sub->add_flag("--embed-weights", options.embedWeights, "puts the weights into the product");
    sub->add_flag("--strip", options.strip, "leaves out symbols and line tables");
    sub->add_flag("--time", options.time, "prints how long each stage took");
    sub->add_flag("--time-passes", options.timePasses,
                  "prints a table of stages and passes with their time; LLVM's and the linker's apart");
    sub->add_flag("--report", options.report,
                  "says of every kernel which lines it computes, how, what it leaves in memory and why, and marks slow "
                  "code");
    sub->add_flag("--profile", options.profile,
                  "makes a product that measures its kernels, for `nacre profile`; not with --reference");
    sub->add_flag("--json", options.json, "what --report and --time-passes say, as JSON on standard output");
  }
  void addRun() {
    CLI::App *sub = command("run", "compiles for this machine, runs one entry and cleans up",
                            "nacre run digits.nacre predict image=images.npy --weights digits.safetensors",
                            [this] { return runRun(options); });
    addFiles(sub, false);
    addCompile(sub, "native");
    addLink(sub);
    sub->footer("Example: nacre run digits.nacre predict image=images.npy --weights digits.safetensors\n"
                "What follows FILE is for the program: ENTRY name=file.npy ... and --weights --out --json --threads "
                "--time --seed.");
  }
  void addTrain(const char *name, const char *what, const char *example, std::function<int()> run) {
    CLI::App *sub = command(name, what, example, run);
    addFiles(sub, false);
    addCompile(sub, "native");
    addLink(sub);
    bool training = std::string_view(name) == "train";
    sub->footer(
        std::string("Example: ") + example + "\nWhat follows FILE is for the trainer: [NAME] " +
        (training ? "--epochs --steps --seed --out --weights --resume --fresh --log --report" : "--weights --seed") +
        "\n--data-dir (default: the folder of FILE) --threads --json --quiet; `nacre build` makes a program that "
        "takes the same.");
  }
  void addSweep() {
    CLI::App *sub = command("sweep", "trains a block once for each choice of the constants that its `sweep` names",
                            "nacre sweep digits.nacre --jobs 2 --epochs 5", [this] { return runSweep(options); });
    addFiles(sub, false);
    addCompile(sub, "native");
    addLink(sub);
    sub->add_option("--jobs", options.jobs, "trials that run at the same time (default: as many as processors)")
        ->check(CLI::Range(1, 1024).description(""))
        ->type_name("N");
    sub->add_option("--trials", options.trials, "how many trials, instead of what the source says")
        ->check(CLI::Range(1, 10000).description(""))
        ->type_name("N");
    sub->add_option("-o", options.output, "the folder of the sweep (default: MODULE.sweep)")->type_name("FOLDER");
    sub->footer(
        "Example: nacre sweep digits.nacre --jobs 2 --epochs 5\n"
        "What follows FILE and is not above is for the trainer: [NAME] --epochs --steps --seed --data-dir. Each "
        "trial has a\nfolder of its own; finished ones are not done again, so the same command goes on with a "
        "stopped sweep, and\nremoving the folder undoes it. The table of results, best first, goes to standard "
        "output.");
  }
  void addTest() {
    CLI::App *sub = command("test", "runs the `test` blocks of the files", "nacre test stdlib/layers/linear.nacre",
                            [this] { return runTest(options); });
    addFiles(sub, true);
    addCompile(sub, "native");
    addLink(sub);
  }
  void addShow() {
    CLI::App *sub = command("show", "prints a model as one stage leaves it", "nacre show --stage=linalg digits.nacre",
                            [this] { return runShow(options); });
    addFiles(sub, false);
    sub->add_option("--stage", options.stage, "ast checked nacre fused linalg buffers loops llvm asm (default: nacre)")
        ->type_name("STAGE");
    addCompile(sub, "x86-64-v3");
    sub->add_flag("--time", options.time, "prints how long each stage took");
  }
  void addInspect() {
    CLI::App *sub = command("inspect", "a table of layers: shapes, parameters, operations, memory",
                            "nacre inspect digits.nacre", [this] { return runInspect(options); });
    addFiles(sub, false);
    addFront(sub);
    sub->add_option(
           "--cpu", options.cpu,
           "the processor that memory is planned for (default: x86-64-v3; with --train native, as `nacre train`)")
        ->type_name("NAME");
    sub->add_flag("--json", options.json, "as JSON");
    sub->add_flag("--train", options.training, "what the train blocks need in memory, before they run");
  }

  /// What `compare` and `profile` call a program with.
  void addCall(CLI::App *sub, const char *file) {
    sub->preparse_callback([this](size_t) { needsFile = firstIsFile = true; });
    sub->add_option("FILE", options.files, std::string(file) + ", then [ENTRY] [name=value ...] of a call")
        ->type_name("[ENTRY] [name=value ...]");
    sub->add_option("--weights", options.weights,
                    "the file of weights; MODEL=F for several models (default: the file of `load`, else drawn)")
        ->type_name("F.safetensors")
        ->allow_extra_args(false);
    sub->add_option("--seed", options.seed, "what arguments and weights are drawn from (default: 1)")->type_name("N");
    sub->add_option("--size", sizes, "an open size of the entry (default: 17, or what its conditions allow)")
        ->type_name("NAME=N")
        ->allow_extra_args(false);
    sub->add_option("--threads", options.threads, "threads to use (default: NACRE_THREADS, else all processors)")
        ->check(CLI::Range(1, 256).description(""))
        ->type_name("N");
    sub->add_flag("--json", options.json, "as JSON");
  }
  void addCompare() {
    const char *example = "nacre compare digits.nacre predict --size n=33 --weights digits.safetensors";
    CLI::App *sub = command("compare",
                            "runs the fast and the reference program on one input, and names the first "
                            "value on which they differ",
                            example, [this] { return runCompare(options); });
    addCall(sub, "model file");
    addCompile(sub, "native");
    addLink(sub);
    sub->add_option("--tolerance", options.tolerance,
                    "how far reals may be apart, relative to their size and that of their tensor (default: f64 1e-10, "
                    "f32 1e-4, f16 1e-2, bf16 5e-2; 0: the same bits)")
        ->type_name("T");
    sub->add_flag("--all", options.every, "shows every value of the entry, not only the first that differs");
    sub->add_option("--link-reference", options.referenceLinked,
                    "linked into the reference instead of --link: a plain version of a C function beside a fast one")
        ->type_name("FILE")
        ->allow_extra_args(false);
    sub->footer(std::string("Example: ") + example +
                "\nWithout ENTRY all entries are compared. An element differs where |fast - reference| > T * "
                "(|reference| + the root mean\nsquare of its tensor). Where a result does, values in between are made "
                "results as well, 8 at a time; that keeps them\nfrom fusing into their readers, and nothing else. Exit "
                "code: 0 they agree, 1 they differ, 2 it could not be told.");
  }
  void addProfile() {
    const char *example = "nacre profile digits.nacre predict --size n=64 --trace digits.json";
    CLI::App *sub =
        command("profile",
                "where the time of a program goes: per kernel and per line of the model, beside the peak of "
                "this machine",
                example, [this] { return runProfile(options); });
    addCall(sub, "model file or program");
    addCompile(sub, "native");
    addLink(sub);
    sub->add_option("--calls", options.calls, "how often the entry is called (default: for about half a second)")
        ->check(CLI::Range(1, 1000000000).description(""))
        ->type_name("N");
    sub->add_option("--trace", options.trace,
                    "writes a Chrome trace, a row per thread: open it in chrome://tracing or ui.perfetto.dev")
        ->type_name("OUT.json");
    sub->footer(std::string("Example: ") + example +
                "\nFILE is a model, or a program that `nacre build --profile` made; such a program needs its arguments "
                "as name=value.\nThe first call warms up and does not count.");
  }

  /// `nacre run`, `train`, `eval` and `sweep` keep their own flags before FILE and those that only it has anywhere; the
  /// rest is for the program.
  void splitRun(std::vector<std::string> &words) {
    static const std::set<std::string> runners{"run", "train", "eval", "sweep"};
    if (words.empty() || !runners.count(words[0]))
      return;
    std::vector<std::string> own{"--set", "--library", "--cpu", "--diagnostics", "--real", "--link"};
    std::vector<std::string> mine{words[0]};
    if (words[0] == "sweep")
      own.insert(own.end(), {"--jobs", "--trials", "-o"});
    bool file = false;
    for (size_t i = 1; i < words.size(); ++i) {
      const std::string &word = words[i];
      std::string flag = word.substr(0, word.find('='));
      if (std::find(own.begin(), own.end(), flag) != own.end()) {
        mine.push_back(word);
        if (flag == word && i + 1 < words.size())
          mine.push_back(words[++i]);
      } else if (word == "--reference" || word == "--precise" || (!file && word.starts_with("-"))) {
        mine.push_back(word);
      } else if (!file) {
        file = true;
        mine.push_back(word);
      } else {
        options.words.push_back(word);
      }
    }
    words = mine;
  }

  CLI::App app;
  std::set<std::string> commands;
  Options options;
  std::vector<std::string> settings, sizes;
  bool standardOutput = false, needsFile = false, firstIsFile = false;
  std::function<int()> action;
};

} // namespace

int main(int argc, char **argv) {
  std::ios::sync_with_stdio(false);
  return CommandLine().main(argc, argv);
}
