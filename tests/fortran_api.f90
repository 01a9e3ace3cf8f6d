! park from Fortran: what include/park.f90 promises.
!   gfortran -std=f2018 -Wall -Wextra -g -Jbuild include/park.f90 tests/fortran_api.f90 -Ltarget/release -lpark -Wl,-rpath,target/release
module seen
  use, intrinsic :: iso_fortran_env, only: real64
  implicit none
  real(real64) :: done = -1, total = -1
  integer :: calls = 0
contains
  subroutine note(now_done, now_total, seconds_left)
    real(real64), intent(in) :: now_done, now_total, seconds_left
    done = now_done
    total = now_total
    calls = calls + 1
    if (.not. seconds_left < huge(seconds_left)) error stop 'seconds_left is no number'
  end subroutine note
end module seen

module streamed
  use, intrinsic :: iso_c_binding
  use park, only: PARK_END
  implicit none
  integer, parameter :: last = 5000, failing = 300, failure = 77
contains
  ! Items are numbers x; results x**2, or both (x, x**2). Each is told apart by its index.
  function square(job, input, output, index, user) bind(c) result(status)
    type(c_ptr), value :: job, input, output, user
    integer(c_int64_t), value :: index
    integer(c_int) :: status
    real(c_double), pointer :: x, y
    call c_f_pointer(input, x)
    call c_f_pointer(output, y)
    y = x**2
    status = merge(0, 1, c_associated(job) .and. .not. c_associated(user) .and. index >= 0)
  end function square

  function both(job, input, output, index, user) bind(c) result(status)
    type(c_ptr), value :: job, input, output, user
    integer(c_int64_t), value :: index
    integer(c_int) :: status
    real(c_double), pointer :: x, y(:)
    call c_f_pointer(input, x)
    call c_f_pointer(output, y, [2])
    y = [x, x**2]
    status = merge(failure, 0, index == failing)
    if (.not. c_associated(job) .or. c_associated(user)) status = 1
  end function both

  function count_up(job, item, index, user) bind(c) result(status)
    type(c_ptr), value :: job, item, user
    integer(c_int64_t), value :: index
    integer(c_int) :: status
    real(c_double), pointer :: x
    call c_f_pointer(item, x)
    x = real(index, c_double)
    status = merge(PARK_END, 0, index == last)
    if (.not. c_associated(job) .or. c_associated(user)) status = 1
  end function count_up
end module streamed

program fortran_api
  use, intrinsic :: iso_fortran_env, only: int8, int16, int32, int64, real32, real64
  use, intrinsic :: iso_c_binding, only: c_bool, c_int
  use park
  use seen
  use streamed
  implicit none
  integer :: failed = 0

  call test_a_loop_from_open_to_close
  call test_every_kind_of_number_is_progress
  call test_the_best_is_read_back
  call test_variables_are_exposed_once
  call test_a_stop_waits_for_the_loops_own_checkpoint
  call test_everything_that_is_protected_comes_back
  call test_what_cannot_be_protected_is_told
  call test_an_abort_and_a_failure_have_their_exit_codes
  call test_a_posix_signal_stops_the_loop
  call test_a_job_listens_where_it_is_told
  call test_results_of_an_array_come_in_order
  call test_a_source_ends_and_every_item_is_told_once
  call test_a_stream_that_is_wrong_is_told
  call test_what_is_wrong_is_told
  if (failed > 0) error stop 1

contains

  subroutine check(condition, what)
    logical, intent(in) :: condition
    character(*), intent(in) :: what
    if (.not. condition) then
       failed = failed + 1
       print '(2a)', 'not ok ', what
    end if
  end subroutine check

  subroutine finish(name, before)
    character(*), intent(in) :: name
    integer, intent(in) :: before
    if (failed == before) print '(2a)', 'ok ', name
  end subroutine finish

  subroutine test_a_loop_from_open_to_close
    type(park_handler) :: job
    integer :: step, before
    before = failed
    call job%open('fortran')
    call job%set_units('steps')
    call job%set_delta(PARK_PROGRESS_DELTA, 0d0)
    call job%on_progress(note)
    call check(job%state() == PARK_STATE_RUNNING, 'open attaches')
    do step = 1, 100
       call job%progress(step, 100)
       if (job%ready() /= PARK_OK) exit
       call check(calls == step .and. nint(done) == step .and. nint(total) == 100, 'the callback sees the progress')
    end do
    call check(step == 101, 'nobody ended the loop')
    call job%log(PARK_LOG_INFO, 'Grüße')
    call job%close()
    call check(job%exit_code() == 0, 'exit code after close')
    call job%close()
    call finish('a_loop_from_open_to_close', before)
  end subroutine test_a_loop_from_open_to_close

  subroutine test_a_job_listens_where_it_is_told
    character(*), parameter :: path = 'build/tests/fortran_api.sock'
    type(park_handler) :: job
    logical :: there
    integer :: before
    integer(c_int) :: status
    before = failed
    call job%open('listener')
    call job%listen(path, status)
    inquire (file=path, exist=there)
    call check(status == PARK_OK .and. there, 'listen makes the socket')
    call job%listen(path, status)
    call check(status == PARK_EXISTS, 'it listens already')
    call job%unlisten(status)
    inquire (file=path, exist=there)
    call check(status == PARK_OK .and. .not. there, 'unlisten takes it away')
    call job%listen('no/such/directory/socket')
    call job%listen('no/such/directory/socket', status)
    call check(status == PARK_SYSTEM, 'a failure has a status, and ends nothing')
    call job%close()
    call finish('a_job_listens_where_it_is_told', before)
  end subroutine test_a_job_listens_where_it_is_told

  subroutine test_every_kind_of_number_is_progress
    type(park_handler) :: job
    integer :: before
    integer(c_int) :: status
    before = failed
    call job%open('kinds')
    call job%set_delta(PARK_PROGRESS_DELTA, 0d0)
    call job%on_progress(note)
    call job%progress(1_int32, 9_int32)
    status = job%ready()
    call check(nint(done) == 1 .and. nint(total) == 9, 'int32')
    call job%progress(2_int64, 9_int64)
    status = job%ready()
    call check(nint(done) == 2, 'int64')
    call job%progress(3.0_real32, 9.0_real32)
    status = job%ready()
    call check(nint(done) == 3, 'real32')
    call job%progress(4.0_real64, 0.0_real64)
    status = job%ready()
    call check(nint(done) == 4 .and. total <= 0, 'real64')
    call check(status == PARK_OK, 'ready')
    call job%close()
    call finish('every_kind_of_number_is_progress', before)
  end subroutine test_every_kind_of_number_is_progress

  subroutine test_the_best_is_read_back
    type(park_handler) :: job
    real(real64) :: value, state(3), found(3)
    integer(c_int) :: status
    integer :: before
    before = failed
    call job%open('best')
    value = 7
    call check(job%best(value) == PARK_UNKNOWN .and. nint(value) == 7, 'no best yet')
    state = [1d0, 2d0, 3d0]
    call job%improved(0.5d0, state, status)
    call check(status == PARK_OK, 'improved')
    state = 0
    call check(job%best(value, found) == PARK_OK, 'best')
    call check(abs(value - 0.5d0) <= 0 .and. all(nint(found) == [1, 2, 3]), 'the best was copied')
    call job%signal(PARK_ABORT)
    call job%improved(0.25d0, [4d0, 5d0, 6d0])
    call check(job%ready() == PARK_ABORTED, 'aborted')
    call job%detach()
    call check(job%best(value, found) == PARK_OK .and. abs(value - 0.25d0) <= 0 .and. nint(found(3)) == 6, 'after an abort')
    call job%close()
    call check(job%exit_code() == PARK_EXIT_ABORTED, 'exit code')
    call finish('the_best_is_read_back', before)
  end subroutine test_the_best_is_read_back

  subroutine test_variables_are_exposed_once
    type(park_handler) :: job
    real(real64), target :: alpha, field(4)
    integer(int64), target :: count, counts(2)
    integer(c_int) :: status
    integer :: before
    before = failed
    alpha = 0.1d0
    field = 0
    count = 1
    counts = 2
    call job%open('variables')
    call job%expose('alpha', alpha, min=0d0, max=0.5d0, status=status)
    call check(status == PARK_OK, 'expose a real')
    call job%expose('field', field, status=status)
    call check(status == PARK_OK, 'expose reals')
    call job%expose('count', count, min=0_int64, status=status)
    call check(status == PARK_OK, 'expose an integer')
    call job%expose('counts', counts, max=9_int64, status=status)
    call check(status == PARK_OK, 'expose integers')
    call job%expose('alpha', alpha, status=status)
    call check(status == PARK_EXISTS, 'exposed once')
    call check(index(job%last_error(), 'alpha') > 0, 'the error names it')
    call job%expose('wrong', alpha, min=1d0, max=0d0, status=status)
    call check(status == PARK_INVALID_ARGUMENT, 'limits that are none')
    call job%describe('alpha', 'm', 'a length', status)
    call check(status == PARK_OK, 'describe')
    call job%describe('beta', 'm', 'a length', status)
    call check(status == PARK_UNKNOWN, 'describe what is not there')
    call job%close()
    call finish('variables_are_exposed_once', before)
  end subroutine test_variables_are_exposed_once

  subroutine test_a_stop_waits_for_the_loops_own_checkpoint
    type(park_handler) :: job
    integer(c_int) :: status
    integer :: before
    before = failed
    call job%open('stop')
    call check(job%ready() == PARK_OK, 'ready')
    call check(.not. job%checkpoint_due(), 'not due')
    call job%signal(PARK_STOP, status)
    call check(status == PARK_OK, 'stop is asked for')
    call check(job%ready() == PARK_OK, 'it may still save')
    call check(job%checkpoint_due(), 'due')
    call job%checkpoint_done(.true.)
    call check(job%ready() == PARK_STOPPED, 'stopped')
    call job%close()
    call check(job%exit_code() == PARK_EXIT_CHECKPOINTED, 'exit code 85')
    call finish('a_stop_waits_for_the_loops_own_checkpoint', before)
  end subroutine test_a_stop_waits_for_the_loops_own_checkpoint

  subroutine test_everything_that_is_protected_comes_back
    character(*), parameter :: directory = 'build/tests/fortran.ckpt'
    type(park_handler) :: job
    real(real64), target :: u(3, 4), x
    real(real64), allocatable, target :: cube(:, :, :)
    real(real32), target :: f(5)
    integer(int8), target :: tiny
    integer(int16), target :: short(2)
    integer(int32), target :: plain
    integer(int64), target :: long(2, 2)
    complex(real32), target :: z(2)
    complex(real64), target :: w
    logical, target :: flag
    logical(c_bool), target :: bits(3)
    character(:), allocatable :: path
    logical :: found
    integer :: before, i, round, unit
    integer(c_int) :: status
    before = failed
    allocate (cube(0:1, 2, 3))
    call execute_command_line('rm -rf '//directory)
    do round = 1, 2
       u = reshape([(i/3d0, i=1, 12)], [3, 4])
       cube = reshape([(-i/7d0, i=1, 12)], [2, 2, 3])
       x = 1/9d0; f = 1/3.0; tiny = -7; short = [300_int16, -300_int16]; plain = huge(plain); long = -huge(long)
       z = (1.0, -2.0); w = (0.1d0, 0.2d0); flag = .true.; bits = [.true._c_bool, .false._c_bool, .true._c_bool]
       if (round == 2) then
          u = 0; cube = 0; x = 0; f = 0; tiny = 0; short = 0; plain = 0; long = 0; z = 0; w = 0; flag = .false.; bits = .false.
       end if
       call job%open('fortran')
       call job%protect('u', u)
       call job%protect('cube', cube)
       call job%protect('x', x)
       call job%protect('f', f)
       call job%protect('tiny', tiny)
       call job%protect('short', short)
       call job%protect('plain', plain)
       call job%protect('long', long)
       call job%protect('z', z)
       call job%protect('w', w)
       call job%protect('flag', flag)
       call job%protect('bits', bits)
       call job%checkpoint_dir(directory)
       call job%checkpoint_mode(PARK_CHECKPOINT_COPY)
       call job%checkpoint_share(0.5d0)
       call job%set_deadline(unix_time=PARK_FOREVER)
       call job%restore(found)
       if (round == 1) then
          call check(.not. found, 'there is none at first')
          call job%checkpoint_now(status)
          call check(status == PARK_OK, 'it is saved')
          call job%checkpoint_wait(60d0, status)
          call check(status == PARK_OK, 'and on the medium')
          call check(job%checkpoint_count() == 1, 'one is there')
       end if
       if (round == 2) call check(found, 'there is one')
       if (round < 2) call job%close()
    end do
    call check(all(.not. abs(u - reshape([(i/3d0, i=1, 12)], [3, 4])) > 0), 'a matrix comes back')
    call check(all(.not. abs(cube - reshape([(-i/7d0, i=1, 12)], [2, 2, 3])) > 0), 'a cube comes back')
    call check(.not. abs(x - 1/9d0) > 0 .and. all(.not. abs(f - 1/3.0) > 0), 'reals come back')
    call check(tiny == -7 .and. all(short == [300, -300]) .and. plain == huge(plain) .and. all(long == -huge(long)), 'integers')
    call check(all(.not. abs(z - (1.0, -2.0)) > 0) .and. .not. abs(w - (0.1d0, 0.2d0)) > 0, 'complex numbers come back')
    call check(flag .and. all(bits .eqv. [.true., .false., .true.]), 'truth values come back')

    call check(.not. job%checkpoint_due(), 'nothing is due')
    call job%signal(PARK_CHECKPOINT)
    call check(job%ready() == PARK_OK .and. job%checkpoint_due(), 'the loop is to save')
    path = job%checkpoint_path()
    open (newunit=unit, file=path//'/notes', action='write', status='new')
    write (unit, '(a)') 'notes'
    close (unit)
    call job%checkpoint_done(.true., status)
    call check(status == PARK_OK, 'it has')
    call job%checkpoint_wait(60d0)
    inquire (file=directory//'/000002.files/notes', exist=found)
    call check(found, 'its own file is part of the checkpoint')

    call job%unprotect('cube')
    call job%protect('volume', cube)
    call job%restore(status=status)
    call check(status == PARK_MISMATCH .and. index(job%last_error(), "'volume'") > 0, 'what does not fit is named')
    call job%protect_was('volume', 'cube')
    call job%unprotect('u')
    call job%protect('u', u)
    call job%protect_was('u')
    call job%restore(found)
    call check(found, 'renamed')
    call job%checkpoint_clear(status)
    call check(status == PARK_OK .and. job%checkpoint_count() == 0, 'cleared')
    call job%close()
    call execute_command_line('rm -rf '//directory)
    call finish('test_everything_that_is_protected_comes_back', before)
  end subroutine test_everything_that_is_protected_comes_back

  subroutine test_what_cannot_be_protected_is_told
    type(park_handler) :: job
    real(real64), target :: u(4, 4)
    integer(c_int) :: status
    integer :: before
    before = failed
    call job%open('fortran')
    call job%protect('gaps', u(1:3, :), status)
    call check(status == PARK_INVALID_ARGUMENT .and. index(job%last_error(), 'gaps') > 0, 'a section with gaps is refused')
    call job%protect('part', u(:, 2:3), status)
    call check(status == PARK_OK, 'one without is not')
    call job%protect('part', u, status)
    call check(status == PARK_EXISTS, 'a name is protected once')
    call job%unprotect('nobody', status)
    call check(status == PARK_UNKNOWN, 'nor can another be taken back')
    call job%checkpoint_dir('/proc/self/x', status=status)
    call check(status == PARK_SYSTEM, 'a directory that cannot be made')
    call check(job%checkpoint_path() == '', 'so there is no path')
    call job%set_deadline(status=status)
    call check(status == PARK_UNKNOWN .or. status == PARK_OK, 'the deadline is of Slurm')
    call job%close()
    call finish('test_what_cannot_be_protected_is_told', before)
  end subroutine test_what_cannot_be_protected_is_told

  subroutine test_an_abort_and_a_failure_have_their_exit_codes
    type(park_handler) :: job
    integer :: before
    before = failed
    call job%open('exit codes')
    call job%fail('out of tea')
    call job%close()
    call check(job%exit_code() == 1, 'failed')
    call job%open('again')
    call job%signal(PARK_PAUSE)
    call job%signal(PARK_ABORT)
    call check(job%ready() == PARK_ABORTED, 'aborted')
    call check(job%ready() == PARK_ABORTED, 'and it stays')
    call job%close()
    call check(job%exit_code() == PARK_EXIT_ABORTED, 'aborted')
    call finish('an_abort_and_a_failure_have_their_exit_codes', before)
  end subroutine test_an_abort_and_a_failure_have_their_exit_codes

  subroutine test_a_posix_signal_stops_the_loop
    integer(c_int), parameter :: SIGTERM = 15, SIGKILL = 9
    interface
       function c_raise(signo) bind(c, name='raise') result(failed)
         import :: c_int
         integer(c_int), value :: signo
         integer(c_int) :: failed
       end function c_raise
    end interface
    type(park_handler) :: job
    integer(c_int) :: status
    integer :: before
    before = failed
    call job%open('caught')
    call job%catch(0, PARK_CATCH_SLURM)
    call check(job%ready() == PARK_OK, 'nothing has come yet')
    call check(c_raise(SIGTERM) == 0, 'SIGTERM is caught')
    call check(job%ready() == PARK_STOPPED, 'SIGTERM stops the loop')
    call job%catch(SIGKILL, PARK_STOP, status)
    call check(status == PARK_INVALID_ARGUMENT, 'SIGKILL cannot be caught')
    call check(index(job%last_error(), 'SIGKILL') > 0, 'and the sentence says so')
    call job%catch(SIGTERM, PARK_CATCH_NONE)
    call job%close()
    call check(job%exit_code() == PARK_EXIT_ABORTED, 'there was no way to save')
    call finish('a_posix_signal_stops_the_loop', before)
  end subroutine test_a_posix_signal_stops_the_loop
  subroutine test_results_of_an_array_come_in_order
    type(park_handler) :: job
    type(park_imap) :: results
    real(real64), allocatable, target :: numbers(:)
    real(real64) :: y
    integer(int64) :: index, expected
    integer(c_int) :: code
    integer :: i, before
    before = failed
    allocate (numbers(2*last))
    numbers(:) = [(real(i, real64), i=1, 2*last)]
    call job%open('array')
    call job%set_workers(2)
    call results%open(job, square, numbers)
    expected = 0
    do while (results%next(y, index, code) == PARK_OK)
       call check(index == expected .and. code == 0 .and. nint(y, int64) == (index + 1)**2, 'a result')
       expected = expected + 1
    end do
    call check(expected == size(numbers), 'all of them')
    call results%close()
    ! Every second one, in its place.
    call results%open(job, square, numbers(2::2), as_completed=.true., in_flight=10)
    expected = 0
    do while (results%next(y, index) == PARK_OK)
       call check(nint(y, int64) == (2*index + 2)**2, 'a result of a section')
       expected = expected + index
    end do
    call check(expected == int(last, int64)*(last - 1)/2, 'each once')
    call results%close()
    call results%open(job, square, numbers(1:0))
    call check(results%next(y) == PARK_END, 'nothing of nothing')
    call results%close()
    call job%close()
    call finish('results_of_an_array_come_in_order', before)
  end subroutine test_results_of_an_array_come_in_order

  subroutine test_a_source_ends_and_every_item_is_told_once
    type(park_handler) :: job
    type(park_imap) :: results
    real(real64) :: pair(2), y
    integer(int64) :: index, told, sum_told
    integer(c_int) :: status, code
    integer :: before
    before = failed
    call job%open('source')
    call job%set_workers(2)
    call results%open(job, square, count_up)
    told = 0
    do
       status = results%next(y, index)
       if (status /= PARK_OK) exit
       call check(index == told .and. nint(y, int64) == index**2, 'a result')
       told = told + 1
    end do
    call check(status == PARK_END .and. told == last, 'it ends')
    call check(results%next(y) == PARK_END, 'and stays so')
    call results%close()
    ! An item fails: all before it come, then what was fetched is told.
    call results%open(job, both, count_up, result_size=2)
    told = 0
    do
       status = results%next(pair, index, code)
       if (status /= PARK_OK) exit
       call check(index == told .and. nint(pair(1), int64) == index .and. nint(pair(2), int64) == index**2, 'a pair')
       told = told + 1
    end do
    call check(status == PARK_FAILED .and. told == failing, 'those before it')
    call check(index == failing .and. code == failure, 'and which it is')
    call check(scan(job%last_error(), '3') > 0, 'the sentence too')
    sum_told = 0
    do while (results%rest(pair, index, code) == PARK_OK)
       told = told + 1
       call check(index == told .and. (code == 0 .or. code == PARK_NOT_RUN), 'the rest')
       if (code == 0) call check(nint(pair(2), int64) == index**2, 'a result of the rest')
       sum_told = sum_told + 1
    end do
    call check(sum_told <= 1024, 'no more than may be in flight')
    call results%close()
    ! Gone on, though one failed.
    call results%open(job, both, count_up, result_size=2, go_on=.true.)
    told = 0
    do
       status = results%next(pair, index, code)
       if (status /= PARK_OK) exit
       call check((code == failure) .eqv. (index == failing), 'one fails')
       told = told + 1
    end do
    call check(status == PARK_FAILED .and. told == last, 'all but one are done')
    call results%close()
    ! Closed in the middle.
    call results%open(job, square, count_up)
    call check(results%next(y) == PARK_OK, 'the first')
    call results%close()
    ! Aborted.
    call results%open(job, square, count_up)
    call check(results%next(y) == PARK_OK, 'the first')
    call job%signal(PARK_ABORT)
    do
       status = results%next(y)
       if (status /= PARK_OK) exit
    end do
    call check(status == PARK_ABORTED, 'aborted')
    call results%close()
    call job%close()
    call finish('a_source_ends_and_every_item_is_told_once', before)
  end subroutine test_a_source_ends_and_every_item_is_told_once

  subroutine test_a_stream_that_is_wrong_is_told
    type(park_handler) :: job, never_opened
    type(park_imap) :: results
    real(real64), target :: numbers(3)
    real(real64) :: y, pair(2)
    integer(c_int) :: status
    integer :: before
    before = failed
    numbers = 1
    call results%open(never_opened, square, numbers, status=status)
    call check(status < 0, 'of no job')
    call check(results%next(y) == PARK_INVALID_HANDLE, 'next of nothing')
    call results%close(status)
    call check(status == PARK_OK, 'close of nothing')
    call job%open('wrong', attach=.false.)
    call results%open(job, square, numbers, status=status)
    call check(status < 0, 'not attached')
    call check(len(job%last_error()) > 0, 'and its sentence')
    call job%attach()
    call results%open(job, square, numbers, in_flight=-1, status=status)
    call check(status == PARK_INVALID_ARGUMENT, 'a bound that is none')
    call results%open(job, square, numbers(3:1:-1), status=status)
    call check(status == PARK_INVALID_ARGUMENT, 'backwards')
    call check(index(job%last_error(), 'in_stride') > 0, 'and its sentence')
    call results%open(job, square, numbers, status=status)
    call check(status == PARK_OK, 'open')
    call results%open(job, square, numbers, status=status)
    call check(status == PARK_BUSY, 'opened twice')
    call check(results%next(pair) == PARK_INVALID_ARGUMENT, 'a result of another size')
    call check(results%rest(y) == PARK_BUSY, 'no rest before the end')
    call check(results%next(y) == PARK_OK, 'it is as it was')
    call results%close()
    call job%close()
    call finish('a_stream_that_is_wrong_is_told', before)
  end subroutine test_a_stream_that_is_wrong_is_told

  subroutine test_what_is_wrong_is_told
    type(park_handler) :: job, never_opened
    integer(c_int) :: status
    integer :: before
    before = failed
    call check(never_opened%ready() == PARK_INVALID_HANDLE, 'ready of nothing')
    call never_opened%progress(1, 2)
    call check(never_opened%exit_code() == 1, 'exit code of nothing')
    call never_opened%close()
    call job%open('', status=status)
    call check(status < 0, 'a name that is none')
    call check(index(job%last_error(), 'name') > 0, 'and its sentence')
    call job%open('open', attach=.false., status=status)
    call check(status == PARK_OK .and. job%state() == PARK_STATE_IDLE, 'not attached')
    call check(job%ready() == PARK_NOT_RUNNING, 'not running')
    call job%set_delta(PARK_PROGRESS_DELTA, -1d0, status)
    call check(status == PARK_INVALID_ARGUMENT, 'a delta that is none')
    call job%attach(status)
    call check(status == PARK_OK, 'attach')
    call job%attach(status)
    call check(status == PARK_BUSY, 'attached twice')
    call job%close(status)
    call check(status == PARK_OK, 'close')
    call finish('what_is_wrong_is_told', before)
  end subroutine test_what_is_wrong_is_told

end program fortran_api
