/* SPDX-License-Identifier: MIT */
/** @file export.h  What marks a function as part of the library's public interface. */
#ifndef EBM_EXPORT_H
#define EBM_EXPORT_H

#if defined(EBM_STATIC)
#  define EBM_API
#elif defined(_WIN32)
#  if defined(EBM_BUILDING)
#    define EBM_API __declspec(dllexport)
#  else
#    define EBM_API __declspec(dllimport)
#  endif
#else
#  define EBM_API __attribute__((visibility("default")))
#endif

#endif /* EBM_EXPORT_H */
