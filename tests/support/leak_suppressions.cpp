// For tests that open many damaged archives under LeakSanitizer: when the constructor of LibTorch's PyTorchStreamReader
// throws, the zip directory that it had read stays allocated. Nothing of ours is suppressed.

extern "C" const char* __lsan_default_suppressions();

extern "C" const char* __lsan_default_suppressions() {
  return "leak:mz_zip_reader_init\nleak:mz_zip_reader_read_central_dir\n";
}
