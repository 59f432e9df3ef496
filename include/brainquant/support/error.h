// The errors that the library throws. Each says what went wrong, in which file and where, what was found and what was
// expected; apps print what() as one line and turn the type into an exit code (support/exit_code.h).
#pragma once

#include <stdexcept>
#include <string>

namespace brainquant {

/// Base of every error thrown on purpose by this library.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A combination of options that makes no sense, or a value outside its range.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// The operating system refused: a file that is missing, unreadable or can't be written, a full disk.
class FileError : public Error {
 public:
  FileError(const std::string& path, const std::string& problem);
};

/// A file was read, and its content is not what it must be.
class FormatError : public Error {
 public:
  /// `where` names the field, record or trial inside the file ("" for the file as a whole).
  FormatError(const std::string& path, const std::string& where, const std::string& problem);
  /// "PATH: WHERE: found FOUND, expected EXPECTED".
  FormatError(const std::string& path, const std::string& where, const std::string& found, const std::string& expected);
};

/// A language-model server that is absent, silent or gone.
class ServerError : public Error {
 public:
  using Error::Error;
};

/// A step of the work itself failed (a child process, a numeric result that can't be used).
class WorkError : public Error {
 public:
  using Error::Error;
};

/// The user asked to stop (Ctrl-C, SIGTERM, or a terminal that was closed).
class Interrupted : public Error {
 public:
  Interrupted() : Error("interrupted") {}
};

}  // namespace brainquant
